using Platform.Local.Sidecar.App;

namespace Platform.Local.Sidecar.Actors;

/// <summary>One life of an app that hosts actors: made when its process is up, dropped when it is away. What was active in one life is not in the next.</summary>
internal sealed class ActorHostApp(AppChannel app, IReadOnlyList<ActorTypeSettings> types)
{
    private readonly Dictionary<string, ActorTypeSettings> _types = types.ToDictionary(type => type.Type, StringComparer.Ordinal);

    public AppChannel App => app;

    public IReadOnlyCollection<string> Types => _types.Keys;

    /// <summary>False once the process is away.</summary>
    public bool IsAlive { get; set; } = true;

    /// <summary>The deactivation of its idle actors that is under way or was the last.</summary>
    public Task Sweep { get; set; } = Task.CompletedTask;

    public ActorTypeSettings SettingsOf(string type) => _types[type];

    public bool Hosts(string type) => _types.ContainsKey(type);
}
