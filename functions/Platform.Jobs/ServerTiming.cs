using System.Globalization;
using System.Text;

namespace Platform.Jobs;

/// <summary>Where the time of a call went, as the <c>Server-Timing</c> header carries it (W3C Server Timing): <c>queued;dur=1.5, placed;dur=0.2</c>.</summary>
public static class ServerTiming
{
    /// <summary>Header name.</summary>
    public const string Header = "Server-Timing";

    /// <summary>Held at the door because something before it was not ready.</summary>
    public const string Queued = "queued";

    /// <summary>Choosing the worker.</summary>
    public const string Placed = "placed";

    /// <summary>Starting the engine's process, for engines that run in one of their own; it reads the staged files itself, which is part of this.</summary>
    public const string Process = "process";

    /// <summary>Bytes from object storage through the NVMe tier into memory.</summary>
    public const string Staged = "staged";

    /// <summary>From bytes in memory to an engine that can run.</summary>
    public const string Loaded = "loaded";

    /// <summary>Prefill: from a ready engine to the first token.</summary>
    public const string FirstToken = "firstToken";

    /// <summary>The phases in the order in which a call goes through them.</summary>
    public static IReadOnlyList<string> Phases { get; } = [Queued, Placed, Process, Staged, Loaded, FirstToken];

    /// <summary>Writes phases as a header value; durations in milliseconds with three digits.</summary>
    public static string Format(IEnumerable<KeyValuePair<string, TimeSpan>> phases)
    {
        var text = new StringBuilder();
        foreach (var (name, duration) in phases)
        {
            text.Append(text.Length == 0 ? "" : ", ").Append(name).Append(";dur=").Append(duration.TotalMilliseconds.ToString("0.###", CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }

    /// <summary>Reads a header value; entries without a duration are skipped, repeated names add up.</summary>
    public static IReadOnlyDictionary<string, TimeSpan> Parse(string? header)
    {
        var phases = new Dictionary<string, TimeSpan>();
        foreach (var entry in (header ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = entry.Split(';', StringSplitOptions.TrimEntries);
            var duration = parts.Skip(1).FirstOrDefault(part => part.StartsWith("dur=", StringComparison.OrdinalIgnoreCase));
            if (duration is not null && double.TryParse(duration.AsSpan(4), CultureInfo.InvariantCulture, out var milliseconds))
            {
                phases[parts[0]] = phases.GetValueOrDefault(parts[0]) + TimeSpan.FromMilliseconds(milliseconds);
            }
        }

        return phases;
    }
}
