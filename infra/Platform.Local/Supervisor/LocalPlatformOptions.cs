using Platform.Jobs;

namespace Platform.Local.Supervisor;

/// <summary>How to start a platform on this machine.</summary>
internal sealed record LocalPlatformOptions
{
    /// <summary>State folder.</summary>
    public required HomeFolder Home { get; init; }

    /// <summary>What to run.</summary>
    public required RunTemplate Template { get; init; }

    /// <summary>Port of the Functions host; null: the template's.</summary>
    public int? FunctionsPort { get; init; }

    /// <summary>Ports of apps, by app id, in place of the template's.</summary>
    public IReadOnlyDictionary<string, int> AppPorts { get; init; } = new Dictionary<string, int>();

    /// <summary>Ports of sidecars, by app id, in place of the template's.</summary>
    public IReadOnlyDictionary<string, int> DaprPorts { get; init; } = new Dictionary<string, int>();

    /// <summary>Any free port wherever no option names one.</summary>
    public bool AnyPorts { get; init; }

    /// <summary>Address that the Functions host binds to. Keys are enforced on any but loopback.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>Takes each line that a process prints: its name, the line.</summary>
    public required Action<string, string> Follow { get; init; }

    /// <summary>Least level of our own log lines.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
