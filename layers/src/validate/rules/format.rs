//! The formats of texts that schemars derives, from garde's rules and from types of chrono, jiff, url, uuid and std.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use garde::rules::{email::parse_email, url::Url};
use regex::Regex;

/// RFC 3339, appendix A: weeks alone, or units without a gap between them.
const DURATION: &str = concat!(
    r"^P(?:[0-9]+W",
    r"|T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)",
    r"|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)",
    r"(?:T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))?)$",
);

const UUID: &str = "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";

/// A grammar of texts.
pub(super) enum Format {
    Check(fn(&str) -> bool),
    Regex(Regex),
}

impl Format {
    /// Returns the format of that name. Others are annotations, which constrain nothing.
    pub(super) fn named(name: &str) -> Option<Self> {
        let check: fn(&str) -> bool = match name {
            // garde's own grammars, so that both passes agree.
            "email" => |text| parse_email(text).is_ok(),
            "uri" => |text| text.validate_url().is_ok(),
            "ip" => |text| text.parse::<IpAddr>().is_ok(),
            "ipv4" => |text| text.parse::<Ipv4Addr>().is_ok(),
            "ipv6" => |text| text.parse::<Ipv6Addr>().is_ok(),
            "date" => |text| is_date(text.as_bytes()),
            "time" => |text| is_time(text.as_bytes()).is_some(),
            "date-time" => is_date_time,
            "duration" => return Regex::new(DURATION).ok().map(Self::Regex),
            "uuid" => return Regex::new(UUID).ok().map(Self::Regex),
            _ => return None,
        };
        Some(Self::Check(check))
    }

    pub(super) fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Check(check) => check(text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// RFC 3339, `date-time`.
fn is_date_time(text: &str) -> bool {
    text.split_once(['T', 't'])
        .is_some_and(|(date, time)| is_date(date.as_bytes()) && is_time(time.as_bytes()).is_some())
}

/// RFC 3339, `full-date`.
fn is_date(text: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return false;
    };
    let (Some(century), Some(year), Some(month), Some(day)) =
        (two(y1, y2), two(y3, y4), two(m1, m2), two(d1, d2))
    else {
        return false;
    };
    let year = 100 * century + year;
    let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// RFC 3339, `full-time`. Returns `None` if the text is none.
fn is_time(text: &[u8]) -> Option<()> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2, ref rest @ ..] = text else {
        return None;
    };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    let zone = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            fraction.get(digits..).filter(|_| digits > 0)?
        }
        zone => zone,
    };
    let ahead = match *zone {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            let ahead = if sign == b'+' { 1 } else { -1 };
            (hours <= 23 && minutes <= 59).then_some(ahead * (60 * hours + minutes))?
        }
        _ => return None,
    };
    // A leap second is the last of a day in UTC.
    let last = (60 * hour + minute - ahead).rem_euclid(24 * 60) == 24 * 60 - 1;
    (hour <= 23 && minute <= 59 && (second <= 59 || second == 60 && last)).then_some(())
}

fn two(tens: u8, ones: u8) -> Option<i32> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    Some(10 * digit(tens)? + digit(ones)?)
}
