using System.Collections.Concurrent;
using System.Globalization;

namespace Platform.SystemTests.Histories;

/// <summary>Seeded faults that all histories of a batch suffer together: processes killed, stopped or paused, sidecars restarted; a killed or stopped process comes back with another clock, off by up to an hour and up to a tenth too fast or too slow.</summary>
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
            var clock = string.Create(CultureInfo.InvariantCulture, $"{TimeSpan.FromSeconds(_random.Next(-3600, 3600))};{_random.Next(90, 111) / 100.0}");
            switch (_random.Next(5))
            {
                case 0 or 1:
                    _events.Enqueue($"kill {app.AppId} for {pause} ms, then its clock is {clock}");
                    app.Kill();
                    await Task.Delay(pause, cancellationToken);
                    app.Start(clock);
                    break;
                case 2:
                    _events.Enqueue($"pause {app.AppId} for {pause} ms");
                    app.Signal("STOP");
                    await Task.Delay(pause, cancellationToken);
                    app.Signal("CONT");
                    break;
                case 3:
                    _events.Enqueue($"stop {app.AppId}, then its clock is {clock}");
                    await app.StopAsync(cancellationToken);
                    app.Start(clock);
                    break;
                case 4:
                    _events.Enqueue($"restart the sidecar of {app.AppId}");
                    await platform.RestartSidecarAsync(app.AppId, cancellationToken);
                    break;
            }
        }
    }
}
