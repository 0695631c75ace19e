//! Traces for OpenTelemetry: what a request was made of, and how long each step took. Off unless `traces.endpoint` is set.
//!
//! Spans are made by hand, where a step begins, and not from log lines: so nothing is in a span that nobody put there, and a gateway without an endpoint does
//! nothing for them. One value per app rather than a global, as with [`super::metrics::Metrics`]. See docs/decisions/0048-traces-by-hand.md.

mod export;

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::task::futures::TaskLocalFuture;

pub use self::export::TraceSetUpError;

use super::metrics::Metrics;
use crate::config::{TraceSettings, WebProxy};

tokio::task_local! {
    /// That of the request that is being answered.
    static CURRENT: RequestTrace;
}

/// What makes traces, and sends them. Cheap to clone; the default makes none.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Arc<Source>>);

#[derive(Debug)]
struct Source {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Sends traces as the settings say, on the runtime that this is called in. A receiver that is away or slow holds nothing up: spans wait in a bounded queue,
    /// and what does not fit is dropped.
    pub fn set_up(
        settings: &TraceSettings,
        proxy: Option<&WebProxy>,
        metrics: Metrics,
    ) -> Result<Self, TraceSetUpError> {
        let provider = export::provider(settings, proxy, metrics)?;
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let tracer = provider.tracer_with_scope(scope);
        Ok(Self(Some(Arc::new(Source { provider, tracer }))))
    }

    /// Begins the trace of a request, or goes on with the one that the caller's `traceparent` names. What is no `traceparent` counts for nothing.
    pub fn begin(&self, traceparent: Option<&str>) -> RequestTrace {
        let Some(source) = &self.0 else {
            return RequestTrace::default();
        };
        let parent = match traceparent.and_then(parse) {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let builder = SpanBuilder::from_name("request").with_kind(SpanKind::Server);
        let span = source.tracer.build_with_context(builder, &parent);
        let context = parent.with_span(span);
        if !context.span().is_recording() {
            return RequestTrace::default();
        }
        let tracer = source.tracer.clone();
        RequestTrace(Some(Arc::new(Begun { context, tracer })))
    }

    /// Sends what waits, for so long at most, and no more after that.
    pub async fn stop(&self, patience: Duration) {
        let Some(source) = self.0.clone() else {
            return;
        };
        let stopping =
            tokio::task::spawn_blocking(move || source.provider.shutdown_with_timeout(patience));
        if let Ok(Err(error)) = stopping.await {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// The trace of one request; clones are of the same. The default is none, and everything done to it is nothing.
#[derive(Debug, Clone, Default)]
pub struct RequestTrace(Option<Arc<Begun>>);

#[derive(Debug)]
struct Begun {
    context: Context,
    tracer: SdkTracer,
}

impl RequestTrace {
    /// That of the request that is being answered on this task.
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Answers a request of which this is the trace.
    pub fn scope<F: Future>(self, answer: F) -> TaskLocalFuture<Self, F> {
        CURRENT.scope(self, answer)
    }

    /// Its id, as receivers show it: 32 hexadecimal digits.
    pub fn id(&self) -> Option<impl Display + use<>> {
        let begun = self.0.as_ref()?;
        Some(begun.context.span().span_context().trace_id())
    }

    /// Notes something about the request as a whole.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        if let Some(begun) = &self.0 {
            let attribute = KeyValue::new(name, value);
            begun.context.span().set_attribute(attribute);
        }
    }

    /// The request was answered.
    pub fn answered(&self, method: &str, route: &str, status: u16) {
        let Some(begun) = &self.0 else { return };
        let span = begun.context.span();
        span.update_name(format!("{method} {route}"));
        span.set_attributes([
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("http.route", route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(status)),
        ]);
        // What a caller did wrong is no error of the server.
        if status >= 500 {
            span.set_status(Status::error(Cow::Borrowed("")));
        }
    }

    /// Begins a step; it ends when it is dropped.
    pub fn step(&self, name: &'static str) -> Step {
        self.child(name, SpanKind::Internal)
    }

    /// Begins a request to somebody else.
    pub fn call(&self, name: &'static str) -> Step {
        self.child(name, SpanKind::Client)
    }

    /// A step that takes as long as a future.
    pub async fn around<F: Future>(&self, name: &'static str, work: F) -> F::Output {
        let _step = self.step(name);
        work.await
    }

    fn child(&self, name: &'static str, kind: SpanKind) -> Step {
        let Some(begun) = &self.0 else {
            return Step(None);
        };
        let builder = SpanBuilder::from_name(name).with_kind(kind);
        let span = begun.tracer.build_with_context(builder, &begun.context);
        Step(Some(begun.context.with_span(span)))
    }
}

/// A step of a request, until this is dropped.
#[derive(Debug)]
pub struct Step(Option<Context>);

impl Step {
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(name, value));
        }
    }

    /// It failed, for the reason of this code.
    pub fn failed(&self, code: &'static str) {
        if let Some(context) = &self.0 {
            let span = context.span();
            span.set_attribute(KeyValue::new("error.type", code));
            span.set_status(Status::error(code));
        }
    }

    /// What whoever is asked goes on from: the header `traceparent`.
    pub fn traceparent(&self) -> Option<String> {
        let context = self.0.as_ref()?;
        Some(written(context.span().span_context()))
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

/// A `traceparent` of the one version that there is (W3C Trace Context, 2021): lower case, and neither id zero.
fn parse(header: &str) -> Option<SpanContext> {
    let mut parts = header.split('-');
    let version = parts.next()?;
    let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let lengths = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_sound = lengths
        .iter()
        .all(|(part, length)| part.len() == *length && is_hex(part));
    if !is_sound || version != "00" || parts.next().is_some() {
        return None;
    }
    let is_sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::default().with_sampled(is_sampled),
        true,
        // What vendors add is not passed on.
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

fn written(context: &SpanContext) -> String {
    let flags = if context.is_sampled() { "01" } else { "00" };
    format!("00-{}-{}-{flags}", context.trace_id(), context.span_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_taken_as_it_is_specified_and_not_otherwise() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parsed = parse(good).unwrap();
        assert_eq!(written(&parsed), good);
        assert!(parsed.is_sampled() && parsed.is_remote());
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert!(!parse(unsampled).unwrap().is_sampled());
        // Flags that nobody has defined yet are not passed on.
        let more = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff";
        assert_eq!(written(&parse(more).unwrap()), good);
        for hostile in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b70-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473ü-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\r\n",
        ] {
            assert!(parse(hostile).is_none(), "{hostile:?}");
        }
    }

    #[test]
    fn without_an_endpoint_nothing_is_begun() {
        let trace = Traces::default().begin(None);
        assert!(trace.id().is_none());
        assert_eq!(trace.call("anam").traceparent(), None);
        assert!(RequestTrace::current().id().is_none());
    }
}
