namespace Platform.Local.Sidecar.Actors;

/// <summary>One sidecar's part in the actors: which app it speaks for, and that app's present life as a host.</summary>
internal sealed class SidecarActors(string appId)
{
    private ActorHostApp? _host;

    public string AppId => appId;

    /// <summary>The app's present life; null while it is away or hosts nothing.</summary>
    public ActorHostApp? Host
    {
        get => Volatile.Read(ref _host);
        set => Volatile.Write(ref _host, value);
    }

    /// <summary>Whether the Configuration has the feature <c>ActorStateTTL</c> on.</summary>
    public bool HasStateTimeToLive { get; init; }
}
