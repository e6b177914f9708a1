use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use parking_lot::RwLock;

use crate::{
    effect::{Event, Outgoing},
    error::{Code, Error},
    protocol::Form,
    refusal::DataType,
};

/// Events and routes that the app's routers declare, and the refusals of its routes. Until a router has declared its
/// events, every event may be sent.
#[derive(Debug, Clone, Default)]
pub struct Declared(Arc<RwLock<Names>>);

/// The refusals that a route declares.
pub trait RefusalRules: fmt::Debug + Send + Sync {
    /// Returns the codes, each with the type of its data.
    fn declared(&self) -> Vec<(Code, Option<DataType>)>;

    /// Returns the mistake of a refusal that does not fit them, as a sentence for the log.
    fn mistake(&self, refusal: &Error) -> Option<String>;
}

#[derive(Debug, Default)]
struct Names {
    outgoing: Option<HashSet<&'static str>>,
    routes: HashSet<String>,
    /// Rules of the routes that declare refusals. Several routers with one route may have different ones.
    refusals: HashMap<String, Vec<Arc<dyn RefusalRules>>>,
}

impl Declared {
    /// Adds the events that one more router declares. From the first call on, an event that no router declares is
    /// refused.
    pub fn extend(&self, types: impl IntoIterator<Item = &'static str>) {
        self.0.write().outgoing.get_or_insert_default().extend(types);
    }

    /// Adds the routes that one more router declares. Metrics label messages of any other route `unknown`.
    pub fn extend_routes<R: Into<String>>(&self, routes: impl IntoIterator<Item = R>) {
        self.0.write().routes.extend(routes.into_iter().map(Into::into));
    }

    /// Adds the refusals that a route of one more router declares.
    pub(crate) fn extend_refusals(&self, route: &str, rules: Arc<dyn RefusalRules>) {
        let mut names = self.0.write();
        let known = names.refusals.entry(route.to_owned()).or_default();
        // An app may serve a router any number of times.
        if known.iter().all(|known| known.declared() != rules.declared()) {
            known.push(rules);
        }
    }

    /// Returns the mistake of a refusal that fits the declarations of no router with this route.
    pub(crate) fn mistake(&self, route: &str, refusal: &Error) -> Option<String> {
        let names = self.0.read();
        let (last, others) = names.refusals.get(route)?.split_last()?;
        let fits = |rules: &Arc<dyn RefusalRules>| rules.mistake(refusal).is_none();
        if others.iter().any(fits) {
            return None;
        }
        last.mistake(refusal)
    }

    /// Returns true if a router declares this route.
    pub(crate) fn has_route(&self, route: &str) -> bool {
        self.0.read().routes.contains(route)
    }

    /// Encodes an event, if it may be sent.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR if no router declares the event or it can't be encoded. PAYLOAD_TOO_LARGE if the content
    /// of its JSON frame has more than `limit` bytes.
    pub(crate) fn encode<O: Outgoing>(&self, message: &O, limit: usize) -> Result<Event, Error> {
        if self
            .0
            .read()
            .outgoing
            .as_ref()
            .is_some_and(|declared| !declared.contains(O::TYPE))
        {
            let detail = format!(
                "event `{event}` is not declared: add `.outgoing::<{rust}>()` to the router",
                event = O::TYPE,
                rust = std::any::type_name::<O>(),
            );
            tracing::error!("{detail}");
            return Err(Error::internal(detail));
        }
        let event = Event::of(message)?;
        let size = event.frame(Form::BASE).len();
        if size > limit {
            let message = format!(
                "event `{}`: expected at most {limit} bytes (Limits::message), got {size}",
                O::TYPE
            );
            tracing::error!("{message}");
            return Err(Error::new(Code::PAYLOAD_TOO_LARGE, message));
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules that fit refusals with this code only.
    #[derive(Debug)]
    struct Only(Code);

    impl RefusalRules for Only {
        fn declared(&self) -> Vec<(Code, Option<DataType>)> {
            vec![(self.0, None)]
        }

        fn mistake(&self, refusal: &Error) -> Option<String> {
            (refusal.code() != self.0).then(|| format!("not {}", self.0))
        }
    }

    #[test]
    fn rules_of_a_router_that_is_served_again_are_kept_once() {
        let declared = Declared::default();
        for code in [Code::CONFLICT, Code::FORBIDDEN, Code::CONFLICT, Code::FORBIDDEN] {
            declared.extend_refusals("lot.bid", Arc::new(Only(code)));
        }
        assert_eq!(declared.0.read().refusals["lot.bid"].len(), 2);
    }

    #[test]
    fn a_refusal_is_a_mistake_if_it_fits_no_rules_of_its_route() {
        let declared = Declared::default();
        declared.extend_refusals("lot.bid", Arc::new(Only(Code::CONFLICT)));
        declared.extend_refusals("lot.bid", Arc::new(Only(Code::FORBIDDEN)));
        let mistake = |route, code| declared.mistake(route, &Error::new(code, ""));
        assert_eq!(mistake("lot.bid", Code::CONFLICT), None);
        assert_eq!(mistake("lot.bid", Code::FORBIDDEN), None);
        assert_eq!(
            mistake("lot.bid", Code::TIMEOUT).as_deref(),
            Some("not FORBIDDEN")
        );
        assert_eq!(mistake("lot.close", Code::TIMEOUT), None);
    }
}
