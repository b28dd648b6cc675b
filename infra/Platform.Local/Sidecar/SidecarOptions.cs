namespace Platform.Local.Sidecar;

/// <summary>Settings of one sidecar; names and defaults are daprd's.</summary>
internal sealed record SidecarOptions
{
    /// <summary>The app's id: letters, digits, <c>-</c>, <c>_</c>; no dots.</summary>
    public required string AppId { get; init; }

    /// <summary>Port on which the app listens; null: the app only calls, nobody calls it.</summary>
    public int? AppPort { get; init; }

    /// <summary>Host on which the app listens. Default 127.0.0.1.</summary>
    public string AppChannelAddress { get; init; } = "127.0.0.1";

    /// <summary><c>http</c> (the default) or <c>h2c</c>; others are refused.</summary>
    public string AppProtocol { get; init; } = "http";

    /// <summary>Port of the sidecar's HTTP API; 0: any free one. Always on the loopback address.</summary>
    public int HttpPort { get; init; }

    /// <summary>Folders or files with Component, Subscription, Resiliency and HTTPEndpoint resources.</summary>
    public IReadOnlyList<string> ResourcesPaths { get; init; } = [];

    /// <summary>File with the Configuration resource; null: none.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>Least level that is logged.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Largest request body, bytes. Default 4 MiB.</summary>
    public long MaxBodyBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Calls that the app gets at a time; -1 (the default): any number.</summary>
    public int AppMaxConcurrency { get; init; } = -1;

    /// <summary>Asks the app's health route. Default off.</summary>
    public bool EnableAppHealthCheck { get; init; }

    /// <summary>The health route. Default <c>/healthz</c>.</summary>
    public string AppHealthCheckPath { get; init; } = "/healthz";

    /// <summary>Between health checks. Default 5 s.</summary>
    public TimeSpan AppHealthProbeInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>For the answer of a health check. Default 500 ms.</summary>
    public TimeSpan AppHealthProbeTimeout { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Failures in a row that make the app unhealthy. Default 3.</summary>
    public int AppHealthThreshold { get; init; } = 3;

    /// <summary>Token that callers of the API must show (<c>DAPR_API_TOKEN</c>); null or empty: none.</summary>
    public string? ApiToken { get; init; }

    /// <summary>Token that the app is shown (<c>APP_API_TOKEN</c>); null or empty: none.</summary>
    public string? AppApiToken { get; init; }

    /// <summary>What a forced shutdown through the API does, without draining; null: it is an ordinary one. A sidecar that has its process for itself ends that.</summary>
    public Action? ForcedShutdown { get; init; }

    /// <summary>Reads an environment variable for <c>envRef</c> and for secrets from the environment. Default: this process's own.</summary>
    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;
}
