//! Regular expressions of schemas.

use regex::Regex;

/// `\s` of ECMA-262: white space and line terminators.
const SPACE: &str = r"\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}";

/// A regular expression in the dialect of JSON Schema, ECMA-262, run by a linear engine: matching takes time
/// proportional to the text.
pub(super) struct Pattern {
    /// As it is in the schema.
    pub(super) text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern. Returns `None` if the engine cannot: it has no look-around and no back-references.
    pub(super) fn new(text: &str) -> Option<Self> {
        Some(Self {
            text: text.to_owned(),
            regex: Regex::new(&translate(text)?).ok()?,
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// Translates ECMA-262 to the syntax of `regex`, as far as the same text means something else there.
fn translate(pattern: &str) -> Option<String> {
    let mut translated = String::with_capacity(pattern.len());
    let mut class: Option<Class> = None;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        match (letter, &mut class) {
            ('\\', class) => {
                letters.next();
                escape(next, class.is_some(), &mut letters, &mut translated)?;
                if let Some(class) = class {
                    class.atom(next.is_some_and(|letter| "dDsSwW".contains(letter)));
                }
            }
            ('.', None) => translated.push_str(r"[^\n\r\x{2028}\x{2029}]"),
            ('[', None) => {
                class = Some(Class::default());
                translated.push('[');
                translated.extend(letters.next_if_eq(&'^'));
                // Here `regex` takes a closing bracket literally.
                if letters.next_if_eq(&']').is_some() {
                    translated.push(']');
                    class.get_or_insert_default().atom(false);
                }
            }
            (']', Some(_)) => {
                class = None;
                translated.push(']');
            }
            ('-', Some(class)) if class.is_range(next) => {
                class.place = Place::Within;
                translated.push('-');
            }
            (letter, Some(class)) => {
                // Nested classes and the operators `--`, `&&` and `~~` are not in ECMA-262.
                if matches!(letter, '[' | '-' | '&' | '~') {
                    translated.push('\\');
                }
                translated.push(letter);
                class.atom(false);
            }
            (letter, None) => translated.push(letter),
        }
    }
    Some(translated)
}

fn escape(
    letter: Option<char>,
    in_class: bool,
    rest: &mut impl Iterator<Item = char>,
    translated: &mut String,
) -> Option<()> {
    match letter? {
        'd' => translated.push_str("[0-9]"),
        'D' => translated.push_str("[^0-9]"),
        'w' => translated.push_str("[A-Za-z0-9_]"),
        'W' => translated.push_str("[^A-Za-z0-9_]"),
        's' => translated.push_str(&format!("[{SPACE}]")),
        'S' => translated.push_str(&format!("[^{SPACE}]")),
        'c' => {
            let letter = rest.next().filter(char::is_ascii_alphabetic)?;
            translated.push_str(&format!(r"\x{{{:x}}}", u32::from(letter) % 32));
        }
        // The bell in `regex`, but an `a` in ECMA-262.
        'a' if !in_class => return None,
        other => translated.extend(['\\', other]),
    }
    Some(())
}

/// The state of reading a class in brackets.
#[derive(Default)]
struct Class {
    place: Place,
    after_escape: bool,
}

/// Position relative to a range such as `a-z`.
#[derive(Default, PartialEq)]
enum Place {
    #[default]
    Start,
    /// After a letter that a hyphen would make the first of a range.
    AfterFirst,
    /// After the hyphen.
    Within,
}

impl Class {
    fn atom(&mut self, escape: bool) {
        self.after_escape = escape;
        self.place = match self.place {
            Place::Within => Place::Start,
            Place::Start | Place::AfterFirst => Place::AfterFirst,
        };
    }

    /// Returns true if a hyphen here stands for a range, and not for itself.
    fn is_range(&self, next: Option<char>) -> bool {
        let literal = next == Some(']') || self.after_escape && next == Some('-');
        self.place == Place::AfterFirst && !literal
    }
}
