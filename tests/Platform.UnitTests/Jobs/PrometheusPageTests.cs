using System.Diagnostics.Metrics;
using Platform.Jobs.Telemetry;

namespace Platform.UnitTests.Jobs;

public sealed class PrometheusPageTests
{
    [Fact]
    public void Write_AllKindsOfInstruments_IsPrometheusText()
    {
        var name = $"Test.{Guid.NewGuid():n}";
        var prefix = name.ToLowerInvariant().Replace('.', '_');
        using var page = new PrometheusPage(name);
        using var meter = new Meter(name);
        var calls = meter.CreateCounter<long>("calls", null, "Calls\nby \\ outcome.");
        calls.Add(2, new KeyValuePair<string, object?>("outcome", "a \"b\" \\"));
        calls.Add(1, new KeyValuePair<string, object?>("outcome", "a \"b\" \\"));
        calls.Add(1, new KeyValuePair<string, object?>("outcome", "z"));
        meter.CreateHistogram<double>("wait", "s").Record(0.25);
        var used = 7L;
        meter.CreateObservableGauge("used", () => used, "By");

        Assert.Equal(
            $"# HELP {prefix}_calls_total Calls\\nby \\\\ outcome.\n# TYPE {prefix}_calls_total counter\n"
            + $"{prefix}_calls_total{{outcome=\"a \\\"b\\\" \\\\\"}} 3\n{prefix}_calls_total{{outcome=\"z\"}} 1\n"
            + $"# HELP {prefix}_used_bytes \n# TYPE {prefix}_used_bytes gauge\n{prefix}_used_bytes 7\n"
            + $"# HELP {prefix}_wait_seconds \n# TYPE {prefix}_wait_seconds summary\n{prefix}_wait_seconds_sum 0.25\n{prefix}_wait_seconds_count 1\n",
            page.Write());

        used = 8;
        Assert.Contains($"{prefix}_used_bytes 8\n", page.Write(), StringComparison.Ordinal);
    }
}
