/// Commands of the client's handles, sent to the driver over a watch channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Commands {
    pub(super) close: bool,
    pub(super) reconnects: u64,
}
