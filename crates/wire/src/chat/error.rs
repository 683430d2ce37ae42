//! The error object of the public API, and its envelope.
//!
//! The same object stands in a refusal's body, in the last chunk of a stream that failed and in
//! `choices[].error`. Status numbers come in as data: which status an error gets is decided where
//! HTTP is spoken.

use crate::json::ObjectWriter;
use bytes::{BufMut, Bytes, BytesMut};
use interline_domain::failure::Blame;
use interline_domain::{ErrorType, Failure};
use std::time::Duration;

/// What is said of an error whose cause is nobody's business but ours.
const MASKED_MESSAGE: &str = "Internal Server Error";
/// The status whose cause is not shown.
const MASKED_STATUS: u16 = 500;
/// The message clients know an upstream error by; its text is then in `metadata.raw`.
const UPSTREAM_MESSAGE: &str = "Provider returned error";

/// An error, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    /// Of the answer, or the one it would have had when a stream is already under way.
    pub status: u16,
    pub error_type: ErrorType,
    pub message: String,
    pub metadata: ErrorMetadata,
    pub availability: Option<Availability>,
    /// Of an authenticated caller.
    pub user_id: Option<String>,
}

/// What is told beside the message. Empty members are not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorMetadata {
    /// The provider's own code.
    pub provider_code: Option<String>,
    /// The display name of the provider that failed.
    pub provider_name: Option<String>,
    /// The provider's own words, cleaned.
    pub raw: Option<String>,
    pub is_byok: Option<bool>,
    pub previous_errors: Vec<PreviousError>,
    /// Which limit was hit: `openrouter_credits`, `upstream_provider_shared_pool`, …
    pub limit_source: Option<&'static str>,
    pub reason: Option<&'static str>,
    pub remedy_hint: Option<String>,
    /// The rate-limit headers, repeated for readers of the body.
    pub headers: Vec<(String, String)>,
    /// Members of one kind of error only (`reasons`, `patterns`, `file_annotations`): name, JSON.
    pub more: Vec<(&'static str, String)>,
}

/// One attempt that failed before this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousError {
    /// The provider's display name.
    pub provider: String,
    pub code: Option<String>,
    /// `None`: it never answered.
    pub status: Option<u16>,
}

macro_rules! availability_codes {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// Why a model could not be served.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AvailabilityCode {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl AvailabilityCode {
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

availability_codes! {
    ModelNotFound "model_not_found",
    WrongEndpoint "wrong_endpoint",
    NoEndpoints "no_endpoints",
    ModelDeprecated "model_deprecated",
    ModelUnavailableUpstream "model_unavailable_upstream",
    CapacityExhausted "capacity_exhausted",
    TemporarilyUnavailable "temporarily_unavailable",
    RegionRestricted "region_restricted",
    PrivacyRestricted "privacy_restricted",
    ConstraintFiltered "constraint_filtered",
    FreeVariantEnded "free_variant_ended",
}

/// `error.availability`: what to do about a model that could not be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    pub code: AvailabilityCode,
    pub retryable: bool,
    pub requested_models: Vec<String>,
    pub docs_url: String,
    /// Written in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
    /// Display names.
    pub affected_providers: Vec<String>,
    /// `geo`, `data_policy:zdr`, `max_price`, … (the public vocabulary).
    pub excluded_by: Vec<String>,
    pub fallback_models: Vec<String>,
    pub constraint: Option<Constraint>,
}

/// The wish of the request that nothing fulfils.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Path of the request's field: `provider.max_price`.
    pub field: String,
    pub detail: String,
}

impl ErrorBody {
    pub fn new(status: u16, error_type: ErrorType, message: impl Into<String>) -> Self {
        Self {
            status,
            error_type,
            message: message.into(),
            metadata: ErrorMetadata::default(),
            availability: None,
            user_id: None,
        }
    }

    /// The error for a failed attempt. What the provider says about a refused request is passed
    /// on; what it says about our own credential is not the caller's to know.
    pub fn from_failure(
        failure: &Failure,
        status: u16,
        provider_name: &str,
        is_byok: bool,
    ) -> Self {
        let is_private = failure.blame == Blame::Credential && !is_byok;
        let is_refusal = failure
            .status
            .is_some_and(|status| (400..500).contains(&status));
        let raw = failure.raw.clone().filter(|_| is_refusal && !is_private);
        let message = if raw.is_some() {
            UPSTREAM_MESSAGE
        } else {
            &failure.message
        };
        let mut body = Self::new(status, failure.error_type, message);
        body.metadata.raw = raw;
        body.metadata.provider_code = failure.provider_code.clone().filter(|_| !is_private);
        body.metadata.provider_name = Some(provider_name.to_owned());
        body.metadata.is_byok = Some(is_byok);
        body
    }

    /// The cause is not shown: a generic message, and nothing of the provider or the route.
    pub const fn is_masked(&self) -> bool {
        self.status == MASKED_STATUS
    }

    /// The JSON object under `error`, on one line.
    pub fn error_object(&self) -> String {
        let mut out = Vec::with_capacity(512);
        self.write_object(&mut out);
        // We wrote nothing but UTF-8.
        String::from_utf8(out).unwrap_or_default()
    }

    /// The whole body. `metadata` is the JSON object under `openrouter_metadata`.
    pub fn envelope(&self, metadata: Option<&str>) -> Bytes {
        let mut out = BytesMut::with_capacity(512);
        let mut object = ObjectWriter::open(&mut out);
        self.write_object(object.name("error"));
        object.opt_str("user_id", self.user_id.as_deref());
        if let Some(metadata) = metadata.filter(|_| !self.is_masked()) {
            object.raw("openrouter_metadata", metadata);
        }
        object.close();
        out.freeze()
    }

    fn write_object(&self, out: &mut impl BufMut) {
        let is_masked = self.is_masked();
        let message = if is_masked {
            MASKED_MESSAGE
        } else {
            &self.message
        };
        let mut object = ObjectWriter::open(out);
        object
            .int("code", self.status)
            .str("message", message)
            // Here and in `metadata`: clients look in both places.
            .str("error_type", self.error_type.as_str())
            .int("http_status", self.status)
            .object("metadata", |object| {
                object.str("error_type", self.error_type.as_str());
                if !is_masked {
                    self.metadata.write(object);
                }
            });
        if let Some(availability) = self.availability.as_ref().filter(|_| !is_masked) {
            object.object("availability", |object| availability.write(object));
        }
        object.close();
    }
}

impl ErrorMetadata {
    fn write<B: BufMut>(&self, object: &mut ObjectWriter<'_, B>) {
        let texts = [
            ("provider_code", self.provider_code.as_deref()),
            ("provider_name", self.provider_name.as_deref()),
            ("raw", self.raw.as_deref()),
            ("limit_source", self.limit_source),
            ("reason", self.reason),
            ("remedy_hint", self.remedy_hint.as_deref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                object.str(name, text);
            }
        }
        if let Some(is_byok) = self.is_byok {
            object.bool("is_byok", is_byok);
        }
        if !self.previous_errors.is_empty() {
            object.array("previous_errors", |array| {
                for error in &self.previous_errors {
                    array.object(|object| error.write(object));
                }
            });
        }
        if !self.headers.is_empty() {
            object.object("headers", |object| {
                for (name, value) in &self.headers {
                    object.str(name, value);
                }
            });
        }
        for (name, json) in &self.more {
            object.raw(name, json);
        }
    }
}

impl PreviousError {
    fn write<B: BufMut>(&self, object: &mut ObjectWriter<'_, B>) {
        object
            .str("provider", &self.provider)
            .opt_str("code", self.code.as_deref());
        match self.status {
            Some(status) => object.int("status", status),
            None => object.raw("status", "null"),
        };
    }
}

impl Availability {
    pub fn new(code: AvailabilityCode, retryable: bool, docs_url: impl Into<String>) -> Self {
        Self {
            code,
            retryable,
            requested_models: Vec::new(),
            docs_url: docs_url.into(),
            retry_after: None,
            affected_providers: Vec::new(),
            excluded_by: Vec::new(),
            fallback_models: Vec::new(),
            constraint: None,
        }
    }

    fn write<B: BufMut>(&self, object: &mut ObjectWriter<'_, B>) {
        object
            .str("code", self.code.as_str())
            .bool("retryable", self.retryable);
        write_names("requested_models", &self.requested_models, object);
        object.str("docs_url", &self.docs_url);
        if let Some(wait) = self.retry_after {
            let part = u64::from(wait.subsec_nanos() > 0);
            object.int("retry_after", wait.as_secs().saturating_add(part));
        }
        let lists = [
            ("affected_providers", &self.affected_providers),
            ("excluded_by", &self.excluded_by),
            ("fallback_models", &self.fallback_models),
        ];
        for (name, names) in lists {
            if !names.is_empty() {
                write_names(name, names, object);
            }
        }
        if let Some(constraint) = &self.constraint {
            object.object("constraint", |object| {
                object
                    .str("field", &constraint.field)
                    .str("detail", &constraint.detail);
            });
        }
    }
}

fn write_names<B: BufMut>(name: &str, names: &[String], object: &mut ObjectWriter<'_, B>) {
    object.array(name, |array| {
        for name in names {
            array.str(name);
        }
    });
}

#[cfg(test)]
mod tests;
