//! The contract of a router.

use super::{RouteDeclaration, Router, RouterError};
use crate::contract::{Contract, Direction, Gatherer, IncomingContract, OutgoingContract};

impl<C> Router<C> {
    /// Returns the contract of an app with this router as its root: the types of its handlers, as data.
    ///
    /// # Panics
    /// If two types have the same name and module for schemars, so that one of them would stand for both. Serving such
    /// a router fails as well.
    #[must_use]
    #[track_caller]
    pub fn contract(&self) -> Contract {
        let (contract, problems) = self.gather();
        if !problems.is_empty() {
            panic!("{}", RouterError { problems });
        }
        contract
    }

    /// Returns the contract, and the problems of its types.
    pub(super) fn gather(&self) -> (Contract, Vec<String>) {
        let mut gatherer = Gatherer::default();
        let headers = gatherer.add("headers", Direction::Input, self.headers);
        let incoming: Vec<_> = self
            .incoming
            .iter()
            .map(|RouteDeclaration { path, traits, .. }| {
                let input = traits
                    .input
                    .map(|schema| gatherer.add(path, Direction::Input, schema));
                let output = traits
                    .output
                    .map(|schema| gatherer.add(path, Direction::Output, schema));
                let refusals = &traits.refusals;
                let error_data: Vec<_> = refusals
                    .iter()
                    .filter_map(|refusal| Some((refusal.code, refusal.data.as_ref()?.schema)))
                    .map(|(code, schema)| (code, gatherer.add(path, Direction::Output, schema)))
                    .collect();
                (path, traits, input, output, error_data)
            })
            .collect();
        let outgoing: Vec<_> = self
            .outgoing
            .iter()
            .map(|event| {
                (
                    event,
                    gatherer.add(event.event_type, Direction::Output, event.schema),
                )
            })
            .collect();

        let problems = gatherer.take_problems();
        let (mut schemas, types) = gatherer.finish();
        let headers = schemas.take(headers);
        let incoming = incoming
            .into_iter()
            .map(|(path, traits, input, output, error_data)| {
                let codes = traits
                    .refusals
                    .iter()
                    .map(|refusal| refusal.code.as_str().to_owned());
                let mut errors: Vec<_> = codes.collect();
                errors.sort_unstable();
                errors.dedup();
                let doc = traits.doc.clone();
                let input = input.map(|input| schemas.take(input));
                let output = output.map(|output| schemas.take(output));
                let error_data = error_data
                    .into_iter()
                    .map(|(code, data)| (code.as_str().to_owned(), schemas.take(data)))
                    .collect();
                (
                    path.clone(),
                    IncomingContract {
                        doc,
                        input,
                        output,
                        errors,
                        error_data,
                    },
                )
            });
        let incoming = incoming.collect();
        let outgoing = outgoing
            .into_iter()
            .map(|(event, payload)| {
                (
                    event.event_type.to_owned(),
                    OutgoingContract {
                        payload: schemas.take(payload),
                        delivery: event.delivery,
                    },
                )
            })
            .collect();
        let contract = Contract {
            zocket: Contract::FORMAT,
            headers,
            incoming,
            outgoing,
            types,
        };
        (contract, problems)
    }
}
