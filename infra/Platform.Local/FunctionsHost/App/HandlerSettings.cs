namespace Platform.Local.FunctionsHost.App;

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
            Forwarding = predecessor || HostSettings.Flag(section, "enableForwardingHttpRequest", path),
            Proxying = HostSettings.Flag(section, "enableProxyingHttpRequest", path),
            IsPredecessor = predecessor,
            InitializationTimeout = HostSettings.Time(section, "initializationTimeout", path, TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(1)),
            Port = HostSettings.Number(section, "port", path, 0, 0, ushort.MaxValue),
        };

        static IEnumerable<string> List(IConfiguration section, string key) => section.GetSection(key).GetChildren().Select(child => child.Value ?? "");

        static IEnumerable<string> WorkerPath(IConfiguration section) => section["defaultWorkerPath"] is { Length: > 0 } worker ? [worker] : [];
    }
}
