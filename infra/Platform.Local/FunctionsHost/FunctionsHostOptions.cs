namespace Platform.Local.FunctionsHost;

/// <summary>What one embedded Functions host serves, and where.</summary>
internal sealed record FunctionsHostOptions
{
    /// <summary>Folder with <c>host.json</c> and one folder per function.</summary>
    public required string AppRoot { get; init; }

    /// <summary>Port to listen on; 0: any free one. Default 7071.</summary>
    public int Port { get; init; } = 7071;

    /// <summary>IP address to listen on. Default 127.0.0.1.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>Folder for queues, timer status and keys; made if missing.</summary>
    public required string StateFolder { get; init; }

    /// <summary>Settings that beat the process environment and <c>local.settings.json</c>; the handler gets them too.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Takes each line that the handler prints, and whether it came on standard error. Null: the host's log.</summary>
    public Action<string, bool>? HandlerOutput { get; init; }

    /// <summary>Called whenever a handler has become ready: the first, and each that takes the place of one that ended.</summary>
    public Action HandlerReady { get; init; } = () => { };

    /// <summary>True: function keys are checked on a loopback address too. Elsewhere they always are.</summary>
    public bool EnforceKeysOnLoopback { get; init; }

    /// <summary>How long running invocations may go on after a stop was asked for. Default 10 s.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Most bytes that the embedded queues hold together. Default 256 MiB; beyond it a sender is refused, 507 over HTTP.</summary>
    public long QueueLimitBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>How often the app's files are looked at for changes; once they have changed and then stayed as they are for as long, the app is loaded anew. Default 500 ms.</summary>
    public TimeSpan FileCheckInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The clock of timers, queues and time-outs.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
