using Platform.Functions.Hosting;
using Platform.Jobs.Telemetry;

namespace Platform.Functions.Http;

/// <summary><c>GET /metrics</c>: the counters of this function app in Prometheus' text format.</summary>
internal sealed class MetricsFunction(PrometheusPage page)
{
    [Function("Metrics")]
    public IResult Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "metrics")] HttpRequest request) => Results.Text(page.Write(), PrometheusPage.ContentType);
}
