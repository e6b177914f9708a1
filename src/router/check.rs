//! Checks that a router does not contradict itself.

use std::{collections::HashMap, fmt, sync::Arc};

use zocket_layers::{Hub, internal::RefusalRules};

use super::{
    Declaration, RouteDeclaration, Router, SourceLocation,
    refusals::{AroundRouter, problems_of},
    reserved::{CLIENT_MEMBERS, meaning_of},
    service::{Entry, RouterService},
};
use crate::upgrade::HeaderKinds;

/// A router without problems.
pub(crate) struct CheckedRouter {
    pub(crate) routes: RouterService,
    /// Rules of the routes that declare refusals.
    pub(crate) refusals: Vec<(String, Arc<dyn RefusalRules>)>,
    /// Names of its events.
    pub(crate) outgoing: Vec<&'static str>,
    /// Hash of its contract.
    pub(crate) contract: String,
}

impl<C> Router<C> {
    /// Returns true if the router's effects are sent to this hub.
    pub(super) fn uses_hub(&self, hub: &Arc<dyn Hub>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.hub), Arc::as_ptr(hub))
    }

    /// Builds the service like [`build`](Self::build), and refuses a router that was not made for this hub.
    pub(crate) fn build_for(mut self, hub: &Arc<dyn Hub>) -> Result<CheckedRouter, RouterError> {
        if !self.uses_hub(hub) {
            let problem = "it was made by another app, whose clients its effects would go to";
            self.problems.push(problem.to_owned());
        }
        self.build()
    }

    /// Checks the declarations against each other.
    pub(crate) fn build(mut self) -> Result<CheckedRouter, RouterError> {
        let (contract, unclear) = self.gather();
        self.problems.extend(unclear);
        self.problems.extend(problems_of(&self.incoming));
        self.problems.extend(HeaderKinds::of(self.headers).problems);
        let Self {
            incoming,
            outgoing,
            nests,
            mut problems,
            ..
        } = self.apply_layers();

        let mut routes = HashMap::<String, (Entry, SourceLocation)>::with_capacity(incoming.len());
        let mut refusals = Vec::<(String, Arc<dyn RefusalRules>)>::new();
        for RouteDeclaration {
            path,
            prefix,
            location,
            entry,
            traits,
        } in incoming
        {
            let prefix = prefix.unwrap_or_default();
            if !traits.refusals.is_empty() {
                refusals.push((path.clone(), Arc::new(AroundRouter(traits.refusals))));
            }
            // A route at the prefix of a nest is reported below.
            if path != prefix {
                check_prefix("route", &path, &prefix, location, &mut problems);
            }
            if let Some((_, first)) = routes.get(&path) {
                problems.push(format!(
                    "route `{path}` is declared twice: {first} and {location}"
                ));
            } else {
                routes.insert(path, (entry, location));
            }
        }
        // Clients nest routes by their names, so a name is either a call or holds other names.
        for (path, (_, location)) in &routes {
            let first = path.split('.').next().unwrap_or(path);
            if CLIENT_MEMBERS.contains(&first) {
                problems.push(format!(
                    "route `{path}` ({location}) would shadow the client's member `{first}`"
                ));
            }
            check_segments("route", path, location, &mut problems);
            for (end, _) in path.match_indices('.') {
                // Reported below, for the nest.
                let is_nest = nests.iter().any(|(nest, _)| *nest == path[..end]);
                if let Some((_, prefix)) = routes.get(&path[..end]).filter(|_| !is_nest) {
                    problems.push(format!(
                        "route `{}` ({prefix}) is a prefix of route `{path}` ({location})",
                        &path[..end]
                    ));
                }
            }
        }
        for (path, location) in nests {
            if let Some((_, route)) = routes.get(&path) {
                problems.push(format!(
                    "`{path}` is a route ({route}) and the prefix of a nest ({location})"
                ));
            }
        }
        let mut events = HashMap::<&str, Declaration>::with_capacity(outgoing.len());
        for declaration in outgoing {
            let Declaration {
                event_type,
                prefix,
                location,
                ..
            } = &declaration;
            check_prefix("outgoing", event_type, prefix, location, &mut problems);
            if let Some(first) = events.get(declaration.event_type) {
                if first.rust_type != declaration.rust_type {
                    problems.push(format!(
                        "outgoing `{}` is declared as two types: `{}` ({}) and `{}` ({})",
                        declaration.event_type,
                        first.rust_type.0,
                        first.location,
                        declaration.rust_type.0,
                        declaration.location
                    ));
                }
            } else {
                events.insert(declaration.event_type, declaration);
            }
        }
        for (name, Declaration { location, .. }) in &events {
            check_segments("outgoing", name, location, &mut problems);
            for (end, _) in name.match_indices('.') {
                if let Some(prefix) = events.get(&name[..end]) {
                    problems.push(format!(
                        "outgoing `{}` ({}) is a prefix of outgoing `{name}` ({location})",
                        &name[..end],
                        prefix.location
                    ));
                }
            }
        }
        // Sorted, because the maps have no order.
        problems.sort();
        if !problems.is_empty() {
            return Err(RouterError { problems });
        }
        let routes = routes
            .into_iter()
            .map(|(path, (entry, _))| (path, entry))
            .collect();
        Ok(CheckedRouter {
            routes: RouterService {
                routes: Arc::new(routes),
            },
            refusals,
            outgoing: events.into_keys().collect(),
            contract: contract.hash(),
        })
    }
}

/// Adds a problem if a full path is outside of the nests that its declaration came through.
fn check_prefix(what: &str, path: &str, prefix: &str, location: SourceLocation, problems: &mut Vec<String>) {
    let rest = path.strip_prefix(prefix);
    if !prefix.is_empty() && rest.is_none_or(|rest| !rest.starts_with('.')) {
        problems.push(format!(
            "{what} `{path}` ({location}) is not under the prefix `{prefix}` that its router is nested at: let its `TYPE` \
             begin with `{prefix}.`, or declare it outside of the nest"
        ));
    }
}

/// Adds a problem for each segment with a meaning of its own.
fn check_segments(what: &str, path: &str, location: SourceLocation, problems: &mut Vec<String>) {
    for segment in path.split('.') {
        if let Some(meaning) = meaning_of(segment) {
            problems.push(format!(
                "{what} `{path}` ({location}) has the segment `{segment}`, which clients can't have as a member: {meaning}"
            ));
        }
    }
}

/// Error of an invalid router. Displays every problem, with the locations in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterError {
    pub(super) problems: Vec<String>,
}

impl RouterError {
    /// Returns the router's problems, each as a sentence.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the router is invalid")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n- {problem}"))
    }
}

impl std::error::Error for RouterError {}
