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
        var batchSize = HostSettings.Number(host, Section + "batchSize", path, 16);
        var settings = new QueueSettings
        {
            MaxPollingInterval = HostSettings.Time(host, Section + "maxPollingInterval", path, TimeSpan.FromSeconds(2)),
            VisibilityTimeout = HostSettings.Time(host, Section + "visibilityTimeout", path, TimeSpan.Zero),
            BatchSize = batchSize,
            NewBatchThreshold = HostSettings.Number(host, Section + "newBatchThreshold", path, batchSize / 2 * Environment.ProcessorCount),
            MaxDequeueCount = HostSettings.Number(host, Section + "maxDequeueCount", path, 5),
            Base64 = !"none".Equals(host[Section + "messageEncoding"], StringComparison.OrdinalIgnoreCase),
        };
        return settings switch
        {
            { BatchSize: < 1 or > 32 } => throw new FunctionAppException($"{path}: extensions.queues.batchSize is {settings.BatchSize}; expected 1 to 32."),
            { MaxDequeueCount: < 1 } => throw new FunctionAppException($"{path}: extensions.queues.maxDequeueCount is {settings.MaxDequeueCount}; expected at least 1."),
            { NewBatchThreshold: < 0 } => throw new FunctionAppException($"{path}: extensions.queues.newBatchThreshold is {settings.NewBatchThreshold}; expected at least 0."),
            _ when settings.MaxPollingInterval < TimeSpan.FromMilliseconds(100) => throw new FunctionAppException($"{path}: extensions.queues.maxPollingInterval is {settings.MaxPollingInterval}; expected at least 00:00:00.1."),
            _ => settings,
        };
    }
}
