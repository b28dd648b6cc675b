namespace Platform.Local.Supervisor;

/// <summary>Which program listens where. Every port is checked before anything starts, so that a taken one is one clear line and not a half-started platform.</summary>
internal sealed class PortPlan
{
    private readonly Dictionary<string, int> _app = [];
    private readonly Dictionary<string, int> _dapr = [];

    private PortPlan()
    {
    }

    /// <summary>Port of the Functions host.</summary>
    public int Functions { get; private set; }

    /// <summary>Port on which the app listens; null if it serves nothing.</summary>
    public int? App(string appId) => _app.TryGetValue(appId, out var port) ? port : null;

    /// <summary>Port of the app's sidecar.</summary>
    public int Dapr(string appId) => _dapr[appId];

    /// <summary>Takes the template's ports, the options in their place where given, and any free port where 0 or <paramref name="anyFree"/>.</summary>
    /// <exception cref="PlatformException">A port is taken, given twice, or given to an app that does not exist.</exception>
    public static PortPlan Make(RunTemplate template, int? functionsPort, IReadOnlyDictionary<string, int> appPorts, IReadOnlyDictionary<string, int> daprPorts, bool anyFree)
    {
        foreach (var (option, ports) in new[] { ("--app-port", appPorts), ("--dapr-port", daprPorts) })
        {
            if (ports.Keys.FirstOrDefault(name => template.Apps.All(app => app.AppId != name)) is { } unknown)
            {
                throw new PlatformException($"{option} {unknown}={ports[unknown]}: there is no app '{unknown}'; {template.Path} has {string.Join(", ", template.Apps.Select(app => app.AppId))}.", Cli.ExitCodes.Usage);
            }
        }

        var plan = new PortPlan();
        var taken = new Dictionary<int, string>();
        int Take(int? chosen, int? templated, string owner, string option)
        {
            var port = chosen ?? (anyFree ? 0 : templated ?? 0);
            if (port == 0)
            {
                do
                {
                    port = LoopbackPort.AnyFree();
                }
                while (port == functionsPort || appPorts.Values.Contains(port) || daprPorts.Values.Contains(port));
            }
            else if (taken.TryGetValue(port, out var other))
            {
                throw new PlatformException($"Port {port} is given both to {other} and to {owner}. Choose another with {option}.", Cli.ExitCodes.Usage);
            }
            else if (!LoopbackPort.IsFree(port))
            {
                throw new PlatformException($"Port {port} ({owner}) is in use by another program. Choose another with {option}, or let every port be free with --any-ports.");
            }

            taken.Add(port, owner);
            return port;
        }

        foreach (var app in template.Apps)
        {
            if (app.IsFunctionApp)
            {
                plan.Functions = Take(functionsPort, app.FunctionsPort, "the Functions host", "--port N");
            }

            if (app.AppPort is not null || appPorts.ContainsKey(app.AppId))
            {
                plan._app[app.AppId] = Take(Value(appPorts, app.AppId), app.AppPort, app.AppId, $"--app-port {app.AppId}=N");
            }

            plan._dapr[app.AppId] = Take(Value(daprPorts, app.AppId), app.DaprHttpPort, $"the sidecar of {app.AppId}", $"--dapr-port {app.AppId}=N");
        }

        return plan;
    }

    private static int? Value(IReadOnlyDictionary<string, int> ports, string name) => ports.TryGetValue(name, out var port) ? port : null;
}
