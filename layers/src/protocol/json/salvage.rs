//! Search for the id of a frame that is not valid JSON, so that its refusal reaches the call that it belongs to.
//!
//! The search reads much that JSON forbids: `NaN`, trailing commas, single quotes, names without quotes, comments, a byte
//! order mark, a frame that was cut. It never takes a member of the payload for the id. If brackets or quotes are
//! unbalanced, so that a member may belong to either, there is no id.

use serde_json::value::RawValue;

use crate::protocol::RpcId;

const NAME: &str = "rpcId";

/// Returns the id of a frame that is not valid JSON. Returns none if the frame has none, or several that differ.
#[cold]
pub(super) fn find_id(frame: &[u8]) -> Option<RpcId> {
    let frame = frame.strip_prefix(b"\xef\xbb\xbf").unwrap_or(frame);
    let mut search = Search::new(Tokens { rest: frame });
    let end = search.run();
    search.decide(end)
}

#[derive(Clone, Copy, PartialEq)]
enum Token<'a> {
    /// An opening bracket.
    Open(u8),
    /// A closing bracket, given as its opening one.
    Close(u8),
    Comma,
    Colon,
    /// A text with its quotes.
    Text(&'a [u8]),
    /// A text without its closing quote, or a comment without its end.
    Unfinished,
    /// A run of other bytes: a number, a word.
    Bare(&'a [u8]),
    End,
}

impl Token<'_> {
    /// Returns true for a token that begins a value.
    const fn begins(self) -> bool {
        matches!(self, Self::Open(_) | Self::Text(_) | Self::Bare(_))
    }
}

struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Token<'a> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            let end: &[u8] = match self.rest {
                [b'/', b'*', ..] => b"*/",
                [b'/', b'/', ..] => b"\n",
                _ => break,
            };
            let Some(at) = self.rest.windows(end.len()).skip(2).position(|part| part == end) else {
                self.rest = &[];
                return Token::Unfinished;
            };
            self.rest = &self.rest[2 + at + end.len()..];
        }
        let Some(&first) = self.rest.first() else {
            return Token::End;
        };
        let (token, length) = match first {
            b'{' | b'[' => (Token::Open(first), 1),
            b'}' => (Token::Close(b'{'), 1),
            b']' => (Token::Close(b'['), 1),
            b',' => (Token::Comma, 1),
            b':' => (Token::Colon, 1),
            b'"' | b'\'' => match self.text(first) {
                Some(text) => (Token::Text(text), text.len()),
                None => (Token::Unfinished, self.rest.len()),
            },
            _ => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || b"{}[],:\"'".contains(byte);
                let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
                (Token::Bare(&self.rest[..length]), length)
            }
        };
        self.rest = &self.rest[length..];
        token
    }

    fn text(&self, quote: u8) -> Option<&'a [u8]> {
        let mut at = 1;
        loop {
            match *self.rest.get(at)? {
                b'\\' => at += 2,
                byte if byte == quote => return Some(&self.rest[..=at]),
                _ => at += 1,
            }
        }
    }
}

/// The way in which a search ended.
#[derive(PartialEq)]
enum End {
    /// The object was closed by the last byte of the frame.
    Closed,
    /// The object was closed, and another value follows.
    Followed,
    /// The frame ended within the object.
    Cut,
    /// A bracket, a quote or a colon is where none can be.
    Unbalanced,
}

struct Search<'a> {
    tokens: Tokens<'a>,
    /// Opening brackets that are not closed yet.
    open: Vec<u8>,
    /// True after the first member whose value is an object or array.
    nested: bool,
    /// True after a closing bracket that closed more than one opening bracket.
    skipped: bool,
    /// Ids that were found, and `nested` at that time.
    found: Vec<(Option<RpcId>, bool)>,
}

impl<'a> Search<'a> {
    const fn new(tokens: Tokens<'a>) -> Self {
        Self {
            tokens,
            open: Vec::new(),
            nested: false,
            skipped: false,
            found: Vec::new(),
        }
    }

    fn run(&mut self) -> End {
        if self.tokens.next() != Token::Open(b'{') {
            return End::Unbalanced;
        }
        self.open.push(b'{');
        let mut previous = Token::Open(b'{');
        let mut is_name = false;
        loop {
            let token = self.tokens.next();
            let after_value = matches!(previous, Token::Close(_) | Token::Text(_) | Token::Bare(_));
            match token {
                Token::End | Token::Unfinished => return End::Cut,
                token if token.begins() && after_value => return End::Unbalanced,
                Token::Colon if !is_name => return End::Unbalanced,
                Token::Colon if self.open.len() == 1 && is_id(previous) => {
                    let value = self.tokens.next();
                    self.take(value);
                    previous = value;
                    is_name = false;
                    match value {
                        Token::Text(_) | Token::Bare(_) | Token::Comma => continue,
                        Token::Open(bracket) => self.enter(bracket),
                        Token::Close(bracket) => match self.leave(bracket) {
                            Some(end) => return end,
                            None => continue,
                        },
                        Token::Colon => return End::Unbalanced,
                        Token::End | Token::Unfinished => return End::Cut,
                    }
                    continue;
                }
                Token::Open(bracket) => self.enter(bracket),
                Token::Close(bracket) => {
                    if let Some(end) = self.leave(bracket) {
                        return end;
                    }
                }
                Token::Comma | Token::Colon | Token::Text(_) | Token::Bare(_) => {}
            }
            is_name = matches!(token, Token::Text(_) | Token::Bare(_))
                && self.open.last() == Some(&b'{')
                && matches!(previous, Token::Open(_) | Token::Comma);
            previous = token;
        }
    }

    fn enter(&mut self, bracket: u8) {
        self.open.push(bracket);
        self.nested = true;
    }

    /// Closes up to the last such opening bracket. Returns the end of the search, if it was the first one.
    fn leave(&mut self, bracket: u8) -> Option<End> {
        let Some(at) = self.open.iter().rposition(|open| *open == bracket) else {
            return Some(End::Unbalanced);
        };
        self.skipped |= at + 1 < self.open.len();
        self.open.truncate(at);
        if at > 0 {
            return None;
        }
        Some(match self.tokens.next() {
            Token::End => End::Closed,
            token if token.begins() => End::Followed,
            Token::Unfinished => End::Followed,
            _ => End::Unbalanced,
        })
    }

    fn take(&mut self, value: Token<'a>) {
        let id = match value {
            Token::Text([b'\'', content @ .., b'\'']) if !content.contains(&b'\\') => {
                std::str::from_utf8(content)
                    .ok()
                    .and_then(|id| RpcId::string(id).ok())
            }
            Token::Text(text @ [b'"', ..]) => of_json(text),
            // The last bytes of a frame that was cut may be the beginning of a longer number.
            Token::Bare(number) if !self.tokens.rest.is_empty() => of_json(number),
            _ => None,
        };
        self.found.push((id, self.nested));
    }

    fn decide(self, end: End) -> Option<RpcId> {
        // A member before the first bracket is the frame's own in any case.
        let all = match end {
            End::Closed => true,
            End::Followed | End::Cut => !self.skipped,
            End::Unbalanced => false,
        };
        let mut ids = self.found.into_iter().filter(|(_, nested)| all || !nested);
        let (id, _) = ids.next()?;
        ids.all(|(other, _)| other == id).then_some(id)?
    }
}

fn is_id(name: Token<'_>) -> bool {
    match name {
        Token::Bare(name) | Token::Text([b'\'', name @ .., b'\'']) => name == NAME.as_bytes(),
        Token::Text(name) => serde_json::from_slice::<String>(name).is_ok_and(|name| name == NAME),
        _ => false,
    }
}

/// Reads an id from JSON. Returns none for text that is no JSON, or no id.
fn of_json(text: &[u8]) -> Option<RpcId> {
    let value: &RawValue = serde_json::from_slice(text).ok()?;
    RpcId::from_json(value.get()).ok()?
}

#[cfg(test)]
mod tests;
