namespace Platform.Local.FunctionsHost.App;

/// <summary>The section <c>extensions.queues</c>.</summary>
internal sealed record QueueSettings
{
    /// <summary>Longest wait between polls of an empty queue; 2 s, as hosts use in development.</summary>
    public TimeSpan MaxPollingInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Wait before a failed message comes back.</summary>
    public TimeSpan VisibilityTimeout { get; init; }

    /// <summary>Messages fetched at once, 1 to 32.</summary>
    public int BatchSize { get; init; } = 16;

    /// <summary>The next batch is fetched when no more than this many messages are being processed.</summary>
    public int NewBatchThreshold { get; init; }

    /// <summary>Attempts in all; then the message is poison.</summary>
    public int MaxDequeueCount { get; init; } = 5;

    /// <summary>True for <c>base64</c>, false for <c>none</c>.</summary>
    public bool Base64 { get; init; } = true;

    public static QueueSettings Read(IConfiguration host, string path)
    {
        const string Section = "extensions:queues:";
        var batchSize = HostSettings.Number(host, Section + "batchSize", path, 16, 1, 32);
        return new QueueSettings
        {
            MaxPollingInterval = HostSettings.Time(host, Section + "maxPollingInterval", path, TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(100)),
            VisibilityTimeout = HostSettings.Time(host, Section + "visibilityTimeout", path, TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(7)),
            BatchSize = batchSize,
            NewBatchThreshold = HostSettings.Number(host, Section + "newBatchThreshold", path, batchSize / 2 * Environment.ProcessorCount, 0),
            MaxDequeueCount = HostSettings.Number(host, Section + "maxDequeueCount", path, 5, 1),
            Base64 = ReadEncoding(host[Section + "messageEncoding"], path),
        };
    }

    private static bool ReadEncoding(string? encoding, string path) => encoding?.ToLowerInvariant() switch
    {
        null or "base64" => true,
        "none" => false,
        _ => throw new FunctionAppException($"{path}: extensions.queues.messageEncoding is '{encoding}'; expected base64 or none."),
    };
}
