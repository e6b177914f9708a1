//! Issues of a refusal in the text of an error.

use std::fmt;

use zocket_layers::Issue;

/// Upper limit of the issues' text, in characters. A payload may have any number of issues.
const LONGEST: usize = 500;

/// Formats issues after the message of a refusal: `: name: at least 1 character, got 0; age: required`. Those beyond 500
/// characters are counted. Formats none if the message names the first one, as that of a refused payload does.
pub(super) struct AfterMessage<'a> {
    pub(super) message: &'a str,
    pub(super) issues: &'a [Issue],
}

impl fmt::Display for AfterMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = LONGEST;
        for (index, issue) in self.issues.iter().enumerate() {
            let text = issue.to_string();
            let length = text.chars().count();
            if index == 0 {
                if self.message.contains(&text) {
                    return Ok(());
                }
                let shown: String = text.chars().take(LONGEST).collect();
                let cut = if length > LONGEST { "…" } else { "" };
                write!(f, ": {shown}{cut}")?;
            } else if length > rest {
                return write!(f, " (and {} more)", self.issues.len() - index);
            } else {
                write!(f, "; {text}")?;
            }
            rest = rest.saturating_sub(length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &str, issues: &[Issue]) -> String {
        AfterMessage { message, issues }.to_string()
    }

    fn issue(field: &str, message: &str) -> Issue {
        Issue::new(vec![field.into()], "rule", message)
    }

    #[test]
    fn issues_follow_a_message_that_does_not_name_them() {
        let issues = [issue("name", "too short"), issue("age", "required")];
        assert_eq!(
            shown("Invalid headers", &issues),
            ": name: too short; age: required"
        );
        assert_eq!(shown("name: too short (and 1 more)", &issues), "");
        assert_eq!(shown("Invalid headers", &[]), "");
    }

    #[test]
    fn the_text_of_any_issues_is_bounded() {
        let long = "é".repeat(10_000);
        let text = shown("no", &[issue("a", &long), issue("b", "required")]);
        assert!(text.ends_with("é… (and 1 more)"), "{text}");
        assert!(text.chars().count() < LONGEST + 30, "{text}");

        let many = vec![issue("name", "at least 1 character, got 0"); 100_000];
        let text = shown("no", &many);
        assert!(
            text.starts_with(": name: at least 1 character, got 0; name: "),
            "{text}"
        );
        let counted = text.matches("name").count();
        assert!(
            text.ends_with(&format!(" (and {} more)", many.len() - counted)),
            "{text}"
        );
        assert!(text.chars().count() < LONGEST + 100, "{text}");
    }
}
