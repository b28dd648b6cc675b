using System.Globalization;

namespace Platform.Benchmarks.Jobs;

/// <summary>What the suites have measured, in order. A figure without a value is one whose peer is not installed.</summary>
internal sealed class Figures
{
    private readonly List<(string Name, double? Value, string Unit)> _all = [];

    public void Add(string name, double? value, string unit) => _all.Add((name, value, unit));

    /// <summary>Adds median and 99th percentile of times, in microseconds.</summary>
    public void AddTimes(string name, IReadOnlyCollection<TimeSpan>? times)
    {
        Add(name + " p50", times is null ? null : At(times, 0.5), "us");
        Add(name + " p99", times is null ? null : At(times, 0.99), "us");
    }

    /// <summary>Adds the ratio of two medians.</summary>
    public void AddRatio(string name, IReadOnlyCollection<TimeSpan> ours, IReadOnlyCollection<TimeSpan>? peer) =>
        Add(name, peer is null ? null : At(ours, 0.5) / At(peer, 0.5), "");

    public static double At(IReadOnlyCollection<TimeSpan> times, double quantile)
    {
        var sorted = times.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[(int)((sorted.Length - 1) * quantile)].TotalMicroseconds;
    }

    public void Print(bool asJson)
    {
        if (asJson)
        {
            Console.WriteLine("{" + string.Join(',', _all.Select(figure => $"\"{figure.Name}\":{figure.Value?.ToString("0.###", CultureInfo.InvariantCulture) ?? "null"}")) + "}");
            return;
        }

        foreach (var (name, value, unit) in _all)
        {
            Console.WriteLine($"{name,-52} {(value is { } number ? number.ToString("0.##", CultureInfo.InvariantCulture) : "peer not installed"),12} {unit}");
        }
    }
}
