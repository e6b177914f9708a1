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
        "Time to handle a message, by route"
    );
    describe_histogram!(
        "zocket_message_payload_bytes",
        Unit::Bytes,
        "Payloads received, by route"
    );
    describe_histogram!(
        "zocket_message_answer_bytes",
        Unit::Bytes,
        "Size of an answer's payload, by route"
    );
    describe_counter!(
        "zocket_messages_refused_total",
        Unit::Count,
        "Messages refused, by code"
    );
    describe_counter!(
        "zocket_handshakes_refused_total",
        Unit::Count,
        "Handshakes refused, by status and code"
    );
    describe_counter!(
        "zocket_volatile_events_dropped_total",
        Unit::Count,
        "Volatile events that clients did not receive, because they were behind"
    );
    describe_counter!(
        "zocket_latest_events_replaced_total",
        Unit::Count,
        "Latest events that newer ones replaced, because their clients were behind"
    );
    describe_gauge!("zocket_rooms", Unit::Count, "Rooms that have members");
    describe_gauge!(
        "zocket_connections",
        Unit::Count,
        "Connections, from on_connect to the end of on_disconnect"
    );
    describe_counter!(
        "zocket_connections_total",
        Unit::Count,
        "Connections that on_connect accepted"
    );
    describe_counter!(
        "zocket_connections_cut_total",
        Unit::Count,
        "Connections left at the end of a shutdown's grace period"
    );
    describe_gauge!(
        "zocket_queued_messages",
        Unit::Count,
        "Messages read and not started"
    );
    describe_gauge!("zocket_in_flight_messages", Unit::Count, "Messages in flight");
    describe_gauge!(
        "zocket_outbound_bytes",
        Unit::Bytes,
        "Bytes waiting to be written to clients"
    );
    describe_gauge!(
        "zocket_record_bytes",
        Unit::Bytes,
        "Bytes written to clients and kept until they are acknowledged"
    );
    describe_counter!(
        "zocket_records_given_up_total",
        Unit::Count,
        "Records that exceeded a limit, and were given up"
    );
    describe_gauge!(
        "zocket_parked_sessions",
        Unit::Count,
        "Sessions that wait for their clients"
    );
    describe_counter!(
        "zocket_sessions_resumed_total",
        Unit::Count,
        "Sessions whose clients came back"
    );
    describe_counter!(
        "zocket_sessions_not_resumed_total",
        Unit::Count,
        "Clients with a valid token that got no session back, by reason"
    );
    describe_counter!(
        "zocket_client_calls_total",
        Unit::Count,
        "Calls of clients, by route and outcome"
    );
    describe_histogram!(
        "zocket_client_call_duration_seconds",
        Unit::Seconds,
        "Time of a client's call, by route"
    );
    describe_counter!(
        "zocket_cluster_events_total",
        Unit::Count,
        "Events between nodes, by outcome"
    );
    describe_counter!(
        "zocket_cluster_problems_total",
        Unit::Count,
        "What went wrong between nodes, by kind"
    );
    describe_gauge!("zocket_cluster_nodes", Unit::Count, "Other nodes that are known");
}
