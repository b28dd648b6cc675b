using System.Diagnostics.Metrics;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs.Telemetry;
using Platform.Worker.Http;
using Platform.Worker.Jobs;
using Platform.Worker.Models;

namespace Platform.Worker;

/// <summary>What an operator watches on a node: calls, tokens, where bytes came from, memory, jobs. The tier has a meter of its own.</summary>
internal sealed class WorkerMetrics : IDisposable
{
    /// <summary>Name of the meter, and prefix of the names on the page.</summary>
    public const string MeterName = "Platform.Worker";
    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _calls;
    private readonly Counter<long> _tokens;
    private readonly Counter<long> _attempts;
    private readonly Histogram<double> _firstToken;

    public WorkerMetrics()
    {
        _calls = _meter.CreateCounter<long>("completions", null, "Completions by how they ended.");
        _tokens = _meter.CreateCounter<long>("completion.tokens", null, "Tokens sent to clients.");
        _firstToken = _meter.CreateHistogram<double>("first.token", "s", "From the call's arrival at the worker to its first token, by whether it waited for a load.");
        _attempts = _meter.CreateCounter<long>("job.attempts", null, "Attempts of jobs by what came of them here.");
    }

    public void CallEnded(string outcome, int tokens)
    {
        _calls.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
        _tokens.Add(tokens);
    }

    public void FirstToken(TimeSpan after, bool cold) => _firstToken.Record(after.TotalSeconds, new KeyValuePair<string, object?>("cold", cold ? "true" : "false"));

    public void AttemptEnded(string outcome) => _attempts.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void Dispose() => _meter.Dispose();

    /// <summary>Adds what is measured by looking, and the page with all of it at <c>/metrics</c>.</summary>
    public void Map(IEndpointRouteBuilder routes, PrometheusPage page)
    {
        var services = routes.ServiceProvider;
        var (models, calls, jobs) = (services.GetRequiredService<ResidentModels>(), services.GetRequiredService<InFlightCalls>(), services.GetRequiredService<JobRuns>());
        _meter.CreateObservableGauge("completions.in.flight", () => calls.Count, null, "Completions that run or wait.");
        _meter.CreateObservableGauge("models.ready", () => models.Residency().Count(model => model.Value == Platform.Jobs.ModelResidency.Ready), null, "Models in memory.");
        _meter.CreateObservableGauge("device.free", () => models.FreeBytes, "By", "Device memory that no model takes.");
        _meter.CreateObservableGauge("models.asleep", () => models.Residency().Count(model => model.Value == Platform.Jobs.ModelResidency.Host), null, "Models asleep in host memory.");
        Watch(services.GetRequiredService<NodeDevices>().Accelerator);
        _meter.CreateObservableGauge("jobs.running", () => jobs.Count, null, "Jobs that run here.");
        _meter.CreateObservableCounter("object.storage.read", () => ObjectStorageCounters.Process.BytesRead, "By", "Bytes really read from object storage.");
        _meter.CreateObservableCounter("object.storage.gets", () => ObjectStorageCounters.Process.Gets, null, "Reads of object storage.");
        routes.MapGet("/metrics", () => Results.Text(page.Write(), PrometheusPage.ContentType));
    }

    /// <summary>Adds what the device's driver tells of its health; a figure that it does not tell is left out.</summary>
    public void Watch(IAccelerator accelerator)
    {
        void Gauge(string name, string? unit, string text, Func<AcceleratorHealth, double?> read) =>
            _meter.CreateObservableGauge(
                name,
                () => read(accelerator.ReadHealth()) is { } value ? (Measurement<double>[])[new(value, new KeyValuePair<string, object?>("device", accelerator.Info.Name))] : [],
                unit,
                text);

        _meter.CreateObservableGauge("accelerator.capacity", () => new Measurement<long>(accelerator.Info.CapacityBytes, new KeyValuePair<string, object?>("device", accelerator.Info.ToString())), "By", "Memory of the node's device.");
        Gauge("accelerator.free", "By", "Memory of the device that no program has taken.", static health => health.FreeBytes);
        Gauge("accelerator.utilization", null, "Share of the time in which the device computed.", static health => health.Utilization);
        Gauge("accelerator.temperature", "Cel", "Temperature of the device.", static health => health.TemperatureCelsius);
        Gauge("accelerator.power", "W", "Power that the device draws.", static health => health.PowerWatts);
        Gauge("accelerator.memory.errors", null, "Memory errors that could not be corrected.", static health => health.UncorrectedMemoryErrors);
        Gauge("accelerator.last.xid", null, "Number of the latest critical fault that the driver reported.", static health => health.LastXid);
    }
}
