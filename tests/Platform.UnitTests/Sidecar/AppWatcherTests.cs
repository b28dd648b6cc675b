using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.Local;
using Platform.Local.Sidecar;
using Platform.Local.Sidecar.App;

namespace Platform.UnitTests.Sidecar;

/// <summary>How an app is taken up.</summary>
public sealed class AppWatcherTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task App_WhoseSubscriptionsFindNoRoomOnDisk_IsTakenUpWhenThereIs()
    {
        var port = LoopbackPort.AnyFree();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        await using var app = builder.Build();
        await app.StartAsync(Stop);
        var options = new SidecarOptions { AppId = "app", AppPort = port };
        using var channel = new AppChannel(options);
        var (cameUp, wentAway) = (0, 0);
        await using var watcher = new AppWatcher(
            channel,
            options,
            NullLogger.Instance,
            TimeProvider.System,
            _ => ++cameUp < 3 ? throw new StorageException(StorageError.Full, "the disk is full") : Task.CompletedTask,
            () =>
            {
                wentAway++;
                return Task.CompletedTask;
            },
            _ => { });

        watcher.Start();
        while (!watcher.IsUp)
        {
            await Task.Delay(5, Stop);
        }

        Assert.Equal((3, 2), (cameUp, wentAway)); // What was begun for it is taken back each time.
    }
}
