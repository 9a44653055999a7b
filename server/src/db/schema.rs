//! The tables, as `migrations/` makes them on both back ends.
#![allow(missing_docs, unreachable_pub, reason = "the migrations document the columns")]

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    user (id) {
        id -> Binary,
        name -> Text,
        name_folded -> Text,
        email -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        role -> Text,
        state -> Text,
        created_at -> BigInt,
        language -> Nullable<Text>,
        email_folded -> Nullable<Text>,
    }
}

table! {
    factor (id) {
        id -> Binary,
        user_id -> Binary,
        kind -> Text,
        label -> Text,
        algorithm -> Text,
        digits -> Integer,
        period_s -> Nullable<BigInt>,
        state -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        confirmed_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

table! {
    factor_secret (factor_id) {
        factor_id -> Binary,
        sealed -> Binary,
    }
}

table! {
    factor_step (factor_id) {
        factor_id -> Binary,
        last_step -> BigInt,
        used_at -> Nullable<BigInt>,
    }
}

table! {
    factor_phone (factor_id) {
        factor_id -> Binary,
        sealed -> Binary,
    }
}

table! {
    lockout (subject) {
        subject -> Binary,
        failures -> BigInt,
        locked_until -> BigInt,
        attempted_at -> BigInt,
    }
}

table! {
    client (id) {
        id -> Binary,
        name -> Text,
        secret_hash -> Binary,
        grants -> Text,
        redirect_uris -> Text,
        audiences -> Text,
        scopes -> Text,
        detail_types -> Text,
        token_format -> Text,
        token_ttl_s -> BigInt,
        one_use -> Bool,
        session_idle_s -> BigInt,
        session_ttl_s -> BigInt,
        second_factor -> Text,
        state -> Text,
        created_at -> BigInt,
    }
}

table! {
    session (id) {
        id -> Binary,
        user_id -> Binary,
        client_id -> Binary,
        factor_id -> Nullable<Binary>,
        amr -> Text,
        address -> Nullable<Text>,
        started_at -> BigInt,
        used_at -> BigInt,
        ends_at -> BigInt,
        limit_at -> BigInt,
        refresh_id -> Nullable<Binary>,
        revoked_at -> Nullable<BigInt>,
        fresh_at -> Nullable<BigInt>,
        device -> Nullable<Text>,
        segment -> BigInt,
    }
}

table! {
    token (id) {
        id -> Binary,
        session_id -> Nullable<Binary>,
        client_id -> Binary,
        kind -> Text,
        hash -> Nullable<Binary>,
        audience -> Text,
        scope -> Text,
        details -> Nullable<Text>,
        issued_at -> BigInt,
        expires_at -> BigInt,
        one_use -> Bool,
        used_at -> Nullable<BigInt>,
        replaced_by -> Nullable<Binary>,
        revoked_at -> Nullable<BigInt>,
    }
}

table! {
    recovery_code (hash) {
        hash -> Binary,
        user_id -> Binary,
        created_at -> BigInt,
    }
}

table! {
    scope_rule (name) {
        name -> Text,
        description -> Text,
        audience -> Nullable<Text>,
        token_ttl_s -> Nullable<BigInt>,
        max_age_s -> Nullable<BigInt>,
        acr -> Nullable<Text>,
        one_use -> Bool,
        by_grant -> Bool,
    }
}

table! {
    user_group (id) {
        id -> Binary,
        name -> Text,
        created_at -> BigInt,
    }
}

table! {
    group_member (group_id, user_id) {
        group_id -> Binary,
        user_id -> Binary,
    }
}

table! {
    access_grant (id) {
        id -> Binary,
        user_id -> Nullable<Binary>,
        group_id -> Nullable<Binary>,
        scope -> Nullable<Text>,
        detail -> Nullable<Text>,
        starts_at -> BigInt,
        ends_at -> BigInt,
        created_at -> BigInt,
    }
}

table! {
    revocation (seq, kind, id) {
        seq -> BigInt,
        kind -> Text,
        id -> Text,
        expires_at -> BigInt,
    }
}

table! {
    mfa_token (hash) {
        hash -> Binary,
        user_id -> Binary,
        client_id -> Binary,
        audience -> Text,
        scope -> Text,
        details -> Nullable<Text>,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
    }
}

table! {
    authorization_code (hash) {
        hash -> Binary,
        session_id -> Binary,
        client_id -> Binary,
        redirect_uri -> Text,
        audience -> Text,
        scope -> Text,
        details -> Nullable<Text>,
        nonce -> Nullable<Text>,
        challenge -> Nullable<Text>,
        expires_at -> BigInt,
        led_to -> Nullable<Binary>,
    }
}

table! {
    signing_key (kid) {
        kid -> Text,
        alg -> Text,
        sealed -> Binary,
        public_key -> Binary,
        state -> Text,
        created_at -> BigInt,
        activated_at -> Nullable<BigInt>,
        retired_at -> Nullable<BigInt>,
    }
}

table! {
    id_token_key (kid) {
        kid -> Text,
        sealed -> Binary,
        public_key -> Binary,
        state -> Text,
        created_at -> BigInt,
        retired_at -> Nullable<BigInt>,
    }
}

table! {
    audit (seq) {
        seq -> BigInt,
        at -> BigInt,
        actor -> Text,
        action -> Text,
        subject -> Nullable<Text>,
        outcome -> Text,
        address -> Nullable<Text>,
        detail -> Nullable<Text>,
        hash -> Binary,
    }
}

table! {
    audit_head (id) {
        id -> Integer,
        seq -> BigInt,
        hash -> Binary,
    }
}

table! {
    audit_tail (id) {
        id -> Integer,
        seq -> BigInt,
        hash -> Binary,
        proof -> Binary,
    }
}

table! {
    hash_key (purpose) {
        purpose -> Text,
        sealed -> Binary,
    }
}

table! {
    master_key (key_id) {
        key_id -> Text,
        proof -> Binary,
        created_at -> BigInt,
    }
}

table! {
    invitation (hash) {
        hash -> Binary,
        user_id -> Nullable<Binary>,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    known_device (user_id, hash) {
        user_id -> Binary,
        hash -> Binary,
        seen_at -> BigInt,
    }
}

table! {
    trusted_device (hash) {
        hash -> Binary,
        user_id -> Binary,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    outbox (id) {
        id -> Binary,
        user_id -> Nullable<Binary>,
        recipient -> Text,
        kind -> Text,
        sealed -> Nullable<Binary>,
        state -> Text,
        attempts -> BigInt,
        next_at -> BigInt,
        claimed_until -> BigInt,
        created_at -> BigInt,
        sent_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
    }
}

table! {
    reset_request (id) {
        id -> Binary,
        user_id -> Binary,
        asked_by -> Binary,
        asked_at -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    relocation (id) {
        id -> Integer,
        state -> Text,
        mark -> Binary,
        other -> Nullable<Binary>,
        place -> Text,
        at -> BigInt,
    }
}

joinable!(factor_secret -> factor (factor_id));
joinable!(factor_step -> factor (factor_id));
joinable!(factor_phone -> factor (factor_id));
joinable!(group_member -> user_group (group_id));
joinable!(group_member -> user (user_id));
joinable!(access_grant -> user_group (group_id));
joinable!(access_grant -> user (user_id));
joinable!(session -> user (user_id));
joinable!(session -> client (client_id));
joinable!(token -> session (session_id));
joinable!(token -> client (client_id));
joinable!(mfa_token -> client (client_id));
allow_tables_to_appear_in_same_query!(user, lockout, factor, factor_secret, factor_step, factor_phone);
allow_tables_to_appear_in_same_query!(access_grant, user_group, group_member, user);
allow_tables_to_appear_in_same_query!(
    token,
    authorization_code,
    session,
    user,
    client,
    signing_key,
    scope_rule
);
allow_tables_to_appear_in_same_query!(mfa_token, client);
