using System.Collections.Concurrent;

namespace Platform.SystemTests.Histories;

/// <summary>Seeded faults that all histories of a batch suffer together: processes killed or paused, sidecars restarted.</summary>
internal sealed class Storm(PlatformUnderTest platform, int seed)
{
    private readonly Random _random = new(seed);
    private readonly ConcurrentQueue<string> _events = new();

    /// <summary>What was done, in order.</summary>
    public IEnumerable<string> Events => _events;

    public async Task BlowAsync(int faults, CancellationToken cancellationToken)
    {
        var apps = platform.Apps.Values.OrderBy(app => app.AppId, StringComparer.Ordinal).ToArray();
        for (var fault = 0; fault < faults; fault++)
        {
            await Task.Delay(_random.Next(100, 800), cancellationToken);
            var app = apps[_random.Next(apps.Length)];
            var pause = _random.Next(50, 2600);
            switch (_random.Next(4))
            {
                case 0 or 1:
                    _events.Enqueue($"kill {app.AppId} for {pause} ms");
                    app.Kill();
                    await Task.Delay(pause, cancellationToken);
                    app.Start();
                    break;
                case 2:
                    _events.Enqueue($"pause {app.AppId} for {pause} ms");
                    app.Signal("STOP");
                    await Task.Delay(pause, cancellationToken);
                    app.Signal("CONT");
                    break;
                case 3:
                    _events.Enqueue($"restart the sidecar of {app.AppId}");
                    await platform.RestartSidecarAsync(app.AppId, cancellationToken);
                    break;
            }
        }
    }
}
