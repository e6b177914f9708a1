use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Describes each metric and its unit to the recorder. [`MetricsLayer::new`](super::MetricsLayer::new) calls this. An
/// app without that layer may call it too, since stages and connections have metrics of their own.
pub fn describe() {
    describe_counter!(
        "zocket_messages_total",
        Unit::Count,
        "Messages handled, by route and outcome"
    );
    describe_histogram!(
        "zocket_message_duration_seconds",
        Unit::Seconds,
        "How long messages take, by route"
    );
    describe_histogram!(
        "zocket_message_payload_bytes",
        Unit::Bytes,
        "Payloads received, by route"
    );
    describe_histogram!(
        "zocket_message_answer_bytes",
        Unit::Bytes,
        "Payloads of answers, by route"
    );
    describe_counter!(
        "zocket_messages_refused_total",
        Unit::Count,
        "Messages refused, by the code that the client was told"
    );
    describe_gauge!("zocket_rooms", Unit::Count, "Rooms that have members");
    describe_gauge!(
        "zocket_connections",
        Unit::Count,
        "Connections, from on_connect until on_disconnect has ended"
    );
    describe_counter!(
        "zocket_connections_total",
        Unit::Count,
        "Connections that on_connect let in"
    );
    describe_gauge!(
        "zocket_queued_messages",
        Unit::Count,
        "Messages that were read and wait to be handled"
    );
    describe_gauge!(
        "zocket_in_flight_messages",
        Unit::Count,
        "Messages that are being handled"
    );
    describe_gauge!(
        "zocket_outbound_bytes",
        Unit::Bytes,
        "Bytes that wait to be written to clients"
    );
}
