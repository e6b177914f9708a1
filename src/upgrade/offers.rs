//! Offers of a client: the subprotocols that it lists (RFC 6455, section 4.1). One of them is a codec, the others are
//! modifiers, which name what the client understands beyond the codec's frames.

use std::mem;

use http::{HeaderMap, header::SEC_WEBSOCKET_PROTOCOL};
use zocket_layers::{Codec, Form};

use crate::core::ResumeOffer;

/// Modifier of a client that understands refusals as close codes.
const REFUSALS: &[u8] = b"zocket.refusals";
/// Modifier of a client that keeps within the welcome's `limits.calls`.
const FLOW: &[u8] = b"zocket.flow";

/// Modifier of a client that counts frames, and can resume its session. With `.<token>.<n>`, the client asks to.
const RESUME: &[u8] = b"zocket.resume";

/// The features that the welcome lists, [`RESUMPTION`] last.
pub(crate) const FEATURES: [&str; 3] = ["refusals", "flow", RESUMPTION];
/// The feature that an app lacks without `Limits::resume_within`.
pub(crate) const RESUMPTION: &str = "resume";

/// Offers of a client that a stack understands. Without a codec there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    /// The codec, which the server echoes. `None` for a client of the base protocol.
    pub(super) codec: Option<Codec>,
    /// True if a refused handshake is told by a close code.
    pub(super) refusals: bool,
    /// True if the client keeps within `limits.calls`, so that a full queue refuses messages and is read on.
    pub(crate) flow: bool,
    /// True if the client counts frames, and can resume the session that begins.
    pub(crate) resume: bool,
    /// The session that the client asks for. `None` for a malformed offer, too.
    pub(super) session: Option<ResumeOffer>,
}

impl Offers {
    /// Reads the offers of a request, for a stack that decodes with `known`. Offers are compared exactly (RFC 6455,
    /// section 4.1), in the order of the header's lines and of the elements in each.
    pub(super) fn read(headers: &HeaderMap, known: Option<Codec>) -> Self {
        let mut offers = Self::default();
        let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let elements = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        for offer in elements.map(<[u8]>::trim_ascii) {
            match offer {
                REFUSALS => offers.refusals = true,
                FLOW => offers.flow = true,
                _ if offers.codec.is_none() => {
                    offers.codec = known.filter(|codec| codec.subprotocol().as_bytes() == offer);
                }
                _ => {}
            }
            // The first of several counts.
            if let Some(rest) = offer.strip_prefix(RESUME).filter(|rest| is_offer(rest))
                && !mem::replace(&mut offers.resume, true)
            {
                let session = rest
                    .strip_prefix(b".")
                    .and_then(|rest| std::str::from_utf8(rest).ok());
                offers.session = session.and_then(ResumeOffer::parse);
            }
        }
        // A client without a codec speaks the base protocol, whatever else it offers.
        if offers.codec.is_some() {
            offers
        } else {
            Self::default()
        }
    }

    /// Returns the form that is spoken with the client.
    pub(super) fn form(&self) -> Form {
        self.codec.map_or(Form::BASE, Form::extended)
    }
}

/// Returns true for the rest of an offer to resume, and false for that of another modifier with a longer name.
const fn is_offer(rest: &[u8]) -> bool {
    matches!(rest, [] | [b'.', ..])
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(lines: &[&str]) -> Offers {
        let field = |line: &&str| {
            (
                SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_bytes(line.as_bytes()).unwrap(),
            )
        };
        Offers::read(&lines.iter().map(field).collect(), Some(Codec::Json))
    }

    fn json(refusals: bool, flow: bool) -> Offers {
        Offers {
            codec: Some(Codec::Json),
            refusals,
            flow,
            ..Offers::default()
        }
    }

    #[test]
    fn lines_and_commas_both_separate_offers() {
        for lines in [
            &["zocket.v1.json, zocket.refusals, zocket.flow"][..],
            &["zocket.v1.json", "zocket.refusals", "zocket.flow"],
            &["zocket.flow,zocket.refusals", " \tzocket.v1.json\t"],
            &[
                "other,,zocket.refusals ,zocket.v1.json",
                "ö",
                "",
                "zocket.flow,zocket.flow",
            ],
        ] {
            assert_eq!(read(lines), json(true, true), "{lines:?}");
        }
        assert_eq!(read(&["zocket.v1.json"]), json(false, false));
        assert_eq!(read(&["zocket.v1.json, zocket.flow"]), json(false, true));
    }

    #[test]
    fn offers_are_compared_exactly() {
        for line in [
            "Zocket.v1.json",
            "ZOCKET.V1.JSON",
            "zocket.v1.jsonx",
            "zocket.v1.json zocket.flow",
            "zocket.v1",
            "zocket.v1.json;q=1",
        ] {
            assert_eq!(read(&[line]), Offers::default(), "{line}");
        }
        assert_eq!(
            read(&["zocket.v1.json, Zocket.Refusals, zocket.flow.1, zocket.refusal"]),
            json(false, false)
        );
    }

    #[test]
    fn modifiers_without_a_codec_are_ignored() {
        for lines in [
            &["zocket.refusals, zocket.flow"][..],
            &["zocket.flow, zocket.v2.json"],
            &[],
        ] {
            let offers = read(lines);
            assert_eq!(offers, Offers::default(), "{lines:?}");
            assert_eq!(offers.form(), Form::BASE);
        }
        let all = HeaderMap::from_iter([(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("zocket.v1.json, zocket.refusals, zocket.flow"),
        )]);
        assert_eq!(Offers::read(&all, None), Offers::default());
    }

    #[test]
    fn the_first_of_several_offers_to_resume_counts() {
        let token = "0123456789abcdef".repeat(4);
        let asks = format!("zocket.resume.{token}.7");
        for lines in [
            &["zocket.v1.json, zocket.resume"][..],
            &["zocket.v1.json, zocket.resume", &asks],
        ] {
            let offers = read(lines);
            assert!(offers.resume && offers.session.is_none(), "{lines:?}");
        }
        let offers = read(&["zocket.v1.json", &format!("other ,{asks}, zocket.resume")]);
        assert_eq!(offers.session, ResumeOffer::parse(&format!("{token}.7")));
        assert!(offers.session.is_some());
        assert_eq!(read(&[&asks]), Offers::default(), "without a codec");
    }

    #[test]
    fn a_malformed_offer_to_resume_is_one_without_a_session() {
        for offer in [
            "zocket.resume.",
            "zocket.resume.x.1",
            "zocket.resume..",
            "zocket.resume.ö.1",
        ] {
            let offers = read(&["zocket.v1.json", offer]);
            assert!(offers.resume && offers.session.is_none(), "{offer}");
        }
        for offer in ["zocket.resumes", "zocket.resume2.x.1", "Zocket.Resume"] {
            assert!(!read(&["zocket.v1.json", offer]).resume, "{offer}");
        }
    }
}
