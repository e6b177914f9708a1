//! Rules by which one schema rejects values of another, and their wording.

/// A rule of a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// No value is accepted.
    NoValue,
    FewerValues,
    Required,
    NoMember,
    NoFurtherMembers,
    NoVariant(String),
    /// A JSON type or a constant that is not accepted.
    Not(String),
    /// The only types or constants that are accepted.
    Only(String),
    /// A keyword and its value.
    Keyword(String),
}

impl Rule {
    /// Returns the rule as the end of a sentence about the schema that has it.
    pub(super) fn statement(&self) -> String {
        match self {
            Self::NoValue => "accepts no value".to_owned(),
            Self::FewerValues => "accepts fewer values".to_owned(),
            Self::Required => "is required".to_owned(),
            Self::NoMember => "is not a member".to_owned(),
            Self::NoFurtherMembers => "accepts no additional members".to_owned(),
            Self::NoVariant(variant) => format!("has no variant {variant}"),
            Self::Not(value) => format!("does not accept {value}"),
            Self::Only(values) => format!("accepts only {values}"),
            Self::Keyword(keyword) => format!("has {keyword}"),
        }
    }

    /// Returns the end of a sentence about a value that the app sends, and that this rule of the old contract excluded.
    pub(super) fn sent_now(&self) -> String {
        match self {
            Self::NoValue => "may now have a value".to_owned(),
            Self::FewerValues => "may now have other values".to_owned(),
            Self::Required => "may now be missing".to_owned(),
            Self::NoMember => "is a new member".to_owned(),
            Self::NoFurtherMembers => "may now have additional members".to_owned(),
            Self::NoVariant(variant) => format!("may now be the variant {variant}"),
            Self::Not(value) => format!("may now be {value}"),
            Self::Only(values) => format!("may now be other than {values}"),
            Self::Keyword(keyword) => format!("may now be outside of {keyword}"),
        }
    }

    /// Returns the end of a sentence about a value that the app sends, and that this rule of the new contract excludes.
    pub(super) fn no_longer_sent(&self) -> String {
        match self {
            Self::NoValue => "no longer has a value".to_owned(),
            Self::FewerValues => "now has fewer values".to_owned(),
            Self::Required => "is now always there".to_owned(),
            Self::NoMember => "is no longer a member".to_owned(),
            Self::NoFurtherMembers => "no longer has additional members".to_owned(),
            Self::NoVariant(variant) => format!("is no longer the variant {variant}"),
            Self::Not(value) => format!("is no longer {value}"),
            Self::Only(values) => format!("is now only {values}"),
            Self::Keyword(keyword) => format!("now has {keyword}"),
        }
    }
}
