//! The normalisers that a schema can name. They clean texts before these are checked against the schema.

/// A normaliser that a schema can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Trim,
    Lowercase,
    Uppercase,
}

impl Step {
    const ALL: [Self; 3] = [Self::Trim, Self::Lowercase, Self::Uppercase];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
        }
    }

    pub(super) fn apply(self, mut text: String) -> String {
        match self {
            Self::Trim if text.trim().len() == text.len() => text,
            Self::Trim => text.trim().to_owned(),
            Self::Lowercase if text.is_ascii() => {
                text.make_ascii_lowercase();
                text
            }
            Self::Lowercase => text.to_lowercase(),
            Self::Uppercase if text.is_ascii() => {
                text.make_ascii_uppercase();
                text
            }
            Self::Uppercase => text.to_uppercase(),
        }
    }
}

/// Applies all steps to a text, in order.
pub(crate) fn apply(steps: &[Step], text: String) -> String {
    steps.iter().fold(text, |text, step| step.apply(text))
}
