using System.Globalization;

namespace Platform.Local.FunctionsHost.App;

/// <summary>What <c>host.json</c> says, each key overridable by a setting <c>AzureFunctionsJobHost__section__key</c>.</summary>
internal sealed record HostSettings
{
    private const string OverridePrefix = "AzureFunctionsJobHost__";

    public required string RoutePrefix { get; init; }

    public required HandlerSettings Handler { get; init; }

    public required QueueSettings Queues { get; init; }

    /// <summary>Longest run of one invocation; null: none. Default 30 minutes.</summary>
    public required TimeSpan? FunctionTimeout { get; init; }

    /// <summary>Requests in the host at once; -1: no limit. Beyond it: 429.</summary>
    public required int MaxOutstandingRequests { get; init; }

    /// <summary>Names to load; empty for all.</summary>
    public required IReadOnlyList<string> Functions { get; init; }

    /// <exception cref="FunctionAppException">The file is missing, no JSON, or lacks what a custom handler needs.</exception>
    public static HostSettings Load(string appRoot, AppSettings settings)
    {
        var path = Path.Combine(appRoot, "host.json");
        if (!File.Exists(path))
        {
            throw new FunctionAppException($"'{appRoot}' is no function app: it has no host.json. Build the functions project, or name the right folder with --app-root.");
        }

        IConfiguration host;
        try
        {
            host = new ConfigurationBuilder()
                .AddJsonFile(path)
                .AddInMemoryCollection(settings.WithPrefix(OverridePrefix).Select(setting => KeyValuePair.Create(setting.Key[OverridePrefix.Length..].Replace("__", ":", StringComparison.Ordinal), (string?)setting.Value)))
                .Build();
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException)
        {
            throw new FunctionAppException($"{path} is not JSON: {(exception.InnerException ?? exception).Message}", exception);
        }

        if (host["version"] != "2.0")
        {
            throw new FunctionAppException($"{path} has version '{host["version"]}'; expected \"2.0\".");
        }

        return new HostSettings
        {
            RoutePrefix = (host["extensions:http:routePrefix"] ?? "api").Trim('/'),
            Handler = HandlerSettings.Read(host, appRoot, path, settings),
            Queues = QueueSettings.Read(host, path),
            FunctionTimeout = host["functionTimeout"] == "-1" ? null : Time(host, "functionTimeout", path, TimeSpan.FromMinutes(30)),
            MaxOutstandingRequests = Number(host, "extensions:http:maxOutstandingRequests", path, -1),
            Functions = [.. host.GetSection("functions").GetChildren().Select(child => child.Value!)],
        };
    }

    internal static TimeSpan Time(IConfiguration host, string key, string path, TimeSpan standard) =>
        host[key] is not { } text ? standard
        : TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var time) ? time
        : throw new FunctionAppException($"{path}: {key} is '{text}'; expected a time span such as 00:05:00.");

    internal static int Number(IConfiguration host, string key, string path, int standard) =>
        host[key] is not { } text ? standard
        : int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number
        : throw new FunctionAppException($"{path}: {key} is '{text}'; expected a whole number.");
}

/// <summary>The section <c>customHandler</c> (or its predecessor <c>httpWorker</c>).</summary>
internal sealed record HandlerSettings
{
    public required string Executable { get; init; }

    public required IReadOnlyList<string> Arguments { get; init; }

    public required string WorkingDirectory { get; init; }

    public required bool Forwarding { get; init; }

    public required bool Proxying { get; init; }

    /// <summary>True for <c>httpWorker</c>: raw requests go to <c>/{function}</c> instead of their own path.</summary>
    public required bool IsPredecessor { get; init; }

    public required TimeSpan InitializationTimeout { get; init; }

    /// <summary>Fixed port of the handler; 0: a free one at each start.</summary>
    public required int Port { get; init; }

    public static HandlerSettings Read(IConfiguration host, string appRoot, string path, AppSettings settings)
    {
        var predecessor = !host.GetSection("customHandler").Exists();
        var section = host.GetSection(predecessor ? "httpWorker" : "customHandler");
        var description = section.GetSection("description");
        if (string.IsNullOrEmpty(description["defaultExecutablePath"]))
        {
            throw new FunctionAppException($"{path} names no custom handler: customHandler.description.defaultExecutablePath is missing. This host runs custom handlers only.");
        }

        var executable = settings.Expand(description["defaultExecutablePath"]!);
        var local = Path.Combine(appRoot, executable);
        List<string> arguments = [.. List(description, "arguments"), .. WorkerPath(description), .. List(description, "workerArguments")];
        return new HandlerSettings
        {
            Executable = File.Exists(local) ? local : executable,
            Arguments = [.. arguments.Select(settings.Expand)],
            WorkingDirectory = Path.GetFullPath(Path.Combine(appRoot, settings.Expand(description["workingDirectory"] ?? ""))),
            Forwarding = predecessor || Flag(section["enableForwardingHttpRequest"]),
            Proxying = Flag(section["enableProxyingHttpRequest"]),
            IsPredecessor = predecessor,
            InitializationTimeout = HostSettings.Time(section, "initializationTimeout", path, TimeSpan.FromSeconds(30)),
            Port = HostSettings.Number(section, "port", path, 0),
        };

        static IEnumerable<string> List(IConfiguration section, string key) => section.GetSection(key).GetChildren().Select(child => child.Value ?? "");

        static IEnumerable<string> WorkerPath(IConfiguration section) => section["defaultWorkerPath"] is { Length: > 0 } worker ? [worker] : [];
    }

    private static bool Flag(string? text) => bool.TryParse(text, out var flag) && flag;
}

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
