//! Sends spans in the OpenTelemetry protocol (OTLP): protobuf over HTTP.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use reqwest::Client;
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{TraceSampler, TraceSettings, WebProxy};
use crate::telemetry::metrics::{Metrics, Outcome};

/// How long one request to the receiver may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Spans that wait at most; what comes then is dropped. About 500 requests' worth.
const WAITING: usize = 4_096;
/// How often spans are sent, at least.
const EACH: Duration = Duration::from_secs(2);

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceSetUpError {
    #[error("traces can't be sent: {0}")]
    Exporter(#[from] ExporterBuildError),
    #[error("the client for traces can't be set up: {0}")]
    Client(#[from] reqwest::Error),
}

pub(super) fn provider(
    settings: &TraceSettings,
    proxy: Option<&WebProxy>,
    metrics: Metrics,
) -> Result<SdkTracerProvider, TraceSetUpError> {
    let exporter = OtlpExporter::builder()
        .with_http()
        .with_http_client(Sender::new(settings, proxy)?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(settings.endpoint.as_str())
        .with_timeout(TIMEOUT)
        .with_headers(headers(settings))
        .build()?;
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING)
        .with_scheduled_delay(EACH)
        .build();
    let exporter = Counted { exporter, metrics };
    let processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(config)
        .build();
    let resource = Resource::builder()
        .with_service_name(settings.service_name.clone())
        .with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            env!("CARGO_PKG_VERSION"),
        ))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(sampler(settings.sampler))
        .with_resource(resource)
        .build())
}

fn headers(settings: &TraceSettings) -> HashMap<String, String> {
    let headers = settings.headers.iter();
    headers
        .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
        .collect()
}

fn sampler(settings: TraceSampler) -> Sampler {
    let own = match settings.ratio {
        ratio if ratio >= 1.0 => Sampler::AlwaysOn,
        ratio if ratio <= 0.0 => Sampler::AlwaysOff,
        ratio => Sampler::TraceIdRatioBased(ratio),
    };
    if settings.follows_parent {
        Sampler::ParentBased(Box::new(own))
    } else {
        own
    }
}

/// Counts what becomes of spans.
#[derive(Debug)]
struct Counted {
    exporter: OtlpExporter,
    metrics: Metrics,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        let outcome = match &sent {
            Ok(()) => Outcome::Ok,
            Err(error) => {
                tracing::debug!(%error, spans, "spans were not sent");
                Outcome::Failed
            }
        };
        self.metrics.spans(spans, outcome);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The program's own HTTP client, on its own runtime: the exporter works on a thread that has none.
struct Sender {
    client: Client,
    runtime: Handle,
}

impl Sender {
    fn new(settings: &TraceSettings, proxy: Option<&WebProxy>) -> Result<Self, reqwest::Error> {
        let plain = settings.endpoint.scheme() == "http";
        let builder = if plain {
            // A machine without certificates of its own can still reach a receiver beside it.
            Client::builder().tls_certs_only([])
        } else {
            Client::builder()
        };
        let builder = match proxy.filter(|proxy| proxy.serves(&settings.endpoint)) {
            Some(proxy) => builder.proxy(reqwest::Proxy::https(proxy.url().expose_secret())?),
            None => builder.no_proxy(),
        };
        let client = builder
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("persona-gateway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            runtime: Handle::current(),
        })
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl HttpClient for Sender {
    fn send_bytes<'s, 'a>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>
    where
        's: 'a,
        Self: 'a,
    {
        let client = self.client.clone();
        let sending = self.runtime.spawn(send(client, request));
        Box::pin(async move { AbortOnDropHandle::new(sending).await? })
    }
}

async fn send(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let answer = client.execute(request.try_into()?).await?;
    let status = answer.status();
    // What a receiver says beside its status is not needed, and may be long.
    drop(answer);
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    Ok(response)
}
