using System.Globalization;

namespace Platform.Local.FunctionsHost.App;

/// <summary>What <c>host.json</c> says, each key overridable by a setting <c>AzureFunctionsJobHost__section__key</c>.</summary>
internal sealed record HostSettings
{
    private const string OverridePrefix = "AzureFunctionsJobHost__";

    /// <summary>The longest time for which the clocks of this host can be set.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(24);

    /// <summary>The file's own JSON, for those who ask.</summary>
    public required string Text { get; init; }

    /// <summary>Id and version range of the extension bundle that the file names, which Azure's host would load; null if none.</summary>
    public required (string Id, string Version)? ExtensionBundle { get; init; }

    public required HttpSettings Http { get; init; }

    /// <summary>Functions that the file declares itself.</summary>
    public required HandlerRoutes Routes { get; init; }

    public required HandlerSettings Handler { get; init; }

    public required QueueSettings Queues { get; init; }

    /// <summary>Longest run of one invocation; null: none. Default 30 minutes.</summary>
    public required TimeSpan? FunctionTimeout { get; init; }

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

        var routes = HandlerRoutes.Read(host, path);
        var handler = HandlerSettings.Read(host, appRoot, path, settings);
        return new HostSettings
        {
            Text = File.ReadAllText(path),
            ExtensionBundle = host["extensionBundle:id"] is { } bundle ? (bundle, host["extensionBundle:version"] ?? "") : null,
            Http = HttpSettings.Read(host, path, routes.IsProfile ? "" : null),
            Routes = routes,
            Handler = routes.Routes.Count > 0 ? handler with { Proxying = true } : handler,
            Queues = QueueSettings.Read(host, path),
            FunctionTimeout = host["functionTimeout"] == "-1" ? null : Time(host, "functionTimeout", path, TimeSpan.FromMinutes(30), TimeSpan.FromSeconds(1)),
            Functions = [.. host.GetSection("functions").GetChildren().Select(child => child.Value!)],
        };
    }

    /// <summary>A time span from <paramref name="least"/> to <see cref="Longest"/>, or the standard where the key is missing.</summary>
    internal static TimeSpan Time(IConfiguration host, string key, string path, TimeSpan standard, TimeSpan least, TimeSpan? most = null) =>
        host[key] is not { } text ? standard
        : TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var time) && time >= least && time <= (most ?? Longest) ? time
        : throw new FunctionAppException($"{path}: {key} is '{text}'; expected a time span from {least:c} to {most ?? Longest:c}.");

    internal static int Number(IConfiguration host, string key, string path, int standard, int least, int most = int.MaxValue) =>
        host[key] is not { } text ? standard
        : int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
        : throw new FunctionAppException($"{path}: {key} is '{text}'; expected a whole number{(most == int.MaxValue ? $", {least} or more" : $" from {least} to {most}")}.");

    internal static bool Flag(IConfiguration host, string key, string path) =>
        host[key] is not { Length: > 0 } text ? false
        : bool.TryParse(text, out var flag) ? flag
        : throw new FunctionAppException($"{path}: {key} is '{text}'; expected true or false.");
}
