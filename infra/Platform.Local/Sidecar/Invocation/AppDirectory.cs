using System.Collections.Concurrent;
using Platform.Local.Sidecar.App;

namespace Platform.Local.Sidecar.Invocation;

/// <summary>Which app ids have a sidecar in this process, and how to reach the apps.</summary>
internal sealed class AppDirectory
{
    private readonly ConcurrentDictionary<string, AppChannel> _apps = new(StringComparer.Ordinal);

    /// <exception cref="SidecarException">The id is taken.</exception>
    public void Add(AppChannel app)
    {
        if (!_apps.TryAdd(app.AppId, app))
        {
            throw new SidecarException($"App id '{app.AppId}' has a sidecar already; give each app an id of its own.");
        }
    }

    public void Remove(AppChannel app) => _apps.TryRemove(KeyValuePair.Create(app.AppId, app));

    public AppChannel? Find(string appId) => _apps.GetValueOrDefault(appId);
}
