using Microsoft.Extensions.Logging.Abstractions;

namespace Platform.Local.Sidecar;

/// <summary>What all sidecars of one process share.</summary>
internal sealed record SidecarClusterOptions
{
    /// <summary>Folder of state, messages and reminders; created if absent. One process at a time.</summary>
    public required string StateFolder { get; init; }

    /// <summary>Where sidecars of several processes find each other; null: only those of this process know each other.</summary>
    public string? RegistryFolder { get; init; }

    /// <summary>Makes loggers.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>The clock of reminders, timers, expiry and idle timeouts.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
