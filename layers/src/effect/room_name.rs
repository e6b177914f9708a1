use std::{borrow::Cow, sync::Arc};

/// Name of a room, as methods accept it: `"lobby"`, a `String`, an `Arc<str>`, or a reference to one of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Returns the name as shared text, which is cheap to clone.
    #[must_use]
    pub fn into_shared(self) -> Arc<str> {
        self.0
    }
}

impl From<&str> for RoomName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for RoomName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&String> for RoomName {
    fn from(name: &String) -> Self {
        Self::from(&**name)
    }
}

impl From<Arc<str>> for RoomName {
    fn from(name: Arc<str>) -> Self {
        Self(name)
    }
}

impl From<&Arc<str>> for RoomName {
    fn from(name: &Arc<str>) -> Self {
        Self(name.clone())
    }
}

impl From<Box<str>> for RoomName {
    fn from(name: Box<str>) -> Self {
        Self(name.into())
    }
}

impl From<Cow<'_, str>> for RoomName {
    fn from(name: Cow<'_, str>) -> Self {
        Self(name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client_id::ClientId, effect::Target};

    #[test]
    fn every_string_type_converts_to_a_room_name() {
        let (field, shared) = (String::from("lobby"), Arc::<str>::from("lobby"));
        let names: [RoomName; 7] = [
            "lobby".into(),
            (&field).into(),
            field.clone().into(),
            (&shared).into(),
            shared.clone().into(),
            field.clone().into_boxed_str().into(),
            Cow::from("lobby").into(),
        ];
        for name in names {
            assert_eq!(name.into_shared(), shared);
        }
        assert_eq!(Target::rooms([&field]), Target::room(&field));
    }

    #[test]
    fn one_client_is_a_set_of_clients() {
        let client = ClientId::random();
        assert_eq!(Target::clients(client), Target::clients([client]));
        assert_eq!(
            Target::everyone().except(client),
            Target::everyone().except([client])
        );
    }
}
