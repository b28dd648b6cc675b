using System.Diagnostics.Metrics;
using Platform.Control.Jobs;
using Platform.Control.Nodes;
using Platform.Jobs;
using Platform.Jobs.Telemetry;

namespace Platform.Control;

/// <summary>What an operator watches of jobs: what comes, what waits, how attempts and jobs end, what they cost.</summary>
internal sealed class ControlMetrics : IDisposable
{
    /// <summary>Name of the meter, and prefix of the names on the page.</summary>
    public const string MeterName = "Platform.Control";
    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _submitted;
    private readonly Counter<long> _ended;
    private readonly Counter<long> _attempts;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _webhooks;
    private readonly Counter<long> _cost;
    private readonly Histogram<double> _queued;

    public ControlMetrics()
    {
        _submitted = _meter.CreateCounter<long>("jobs.submitted", null, "New jobs by kind.");
        _ended = _meter.CreateCounter<long>("jobs.ended", null, "Jobs by the state in which they ended.");
        _attempts = _meter.CreateCounter<long>("job.attempts", null, "Ended attempts by outcome.");
        _refused = _meter.CreateCounter<long>("job.reports.refused", null, "Reports of workers whose lease was void.");
        _webhooks = _meter.CreateCounter<long>("webhook.deliveries", null, "Tried deliveries by outcome.");
        _cost = _meter.CreateCounter<long>("job.cost.micros", null, "Cost of ended attempts, in millionths of the currency, by kind.");
        _queued = _meter.CreateHistogram<double>("job.queued", "s", "From a submission, or the end of the attempt before, to the lease.");
    }

    public void Submitted(string kind) => _submitted.Add(1, Tag("kind", kind));

    public void Ended(JobState state) => _ended.Add(1, Tag("state", state.ToString()));

    public void ReportRefused() => _refused.Add(1);

    public void WebhookTried(bool delivered) => _webhooks.Add(1, Tag("outcome", delivered ? "delivered" : "failed"));

    public void AttemptEnded(string kind, JobAttempt attempt)
    {
        _attempts.Add(1, Tag("outcome", attempt.Outcome));
        if (attempt.Ledger is { } ledger)
        {
            _queued.Record(ledger.QueuedMs / 1000.0);
            _cost.Add(ledger.CostMicros, Tag("kind", kind));
        }
    }

    public void Dispose() => _meter.Dispose();

    /// <summary>Adds what is measured by looking, and the page with all of it at <c>/metrics</c>.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        var (nodes, waiting, page) = (routes.ServiceProvider.GetRequiredService<NodeRegistry>(), routes.ServiceProvider.GetRequiredService<WaitingJobs>(), routes.ServiceProvider.GetRequiredService<PrometheusPage>());
        _meter.CreateObservableGauge("jobs.waiting", () => waiting.Count, null, "Jobs that look for a node.");
        _meter.CreateObservableGauge("job.slots.free", nodes.FreeJobSlots, null, "Job slots that are free on living nodes.");
        _meter.CreateObservableGauge("nodes.alive", () => nodes.AliveCount, null, "Nodes whose heartbeat is not late.");
        routes.MapGet("/metrics", () => Results.Text(page.Write(), PrometheusPage.ContentType));
    }

    private static KeyValuePair<string, object?> Tag(string name, object? value) => new(name, value);
}
