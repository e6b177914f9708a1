//! The client as a tower service, and tower's middleware around it, against real servers. The guide's page on middleware
//! has a line for each of these.

mod site;

mod attempts;
mod balancing;
mod calls;
mod limits;
mod readiness;
mod transform;
