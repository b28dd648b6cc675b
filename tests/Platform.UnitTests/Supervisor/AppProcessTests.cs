using System.Collections.Concurrent;
using Platform.Local.Sidecar;
using Platform.Local.Supervisor;

namespace Platform.UnitTests.Supervisor;

/// <summary>One real process under its restart policy.</summary>
public sealed class AppProcessTests : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly SemaphoreSlim _changed = new(0);
    private readonly ProcessLog _log;

    public AppProcessTests() => _log = new ProcessLog("app", _folder.Path, (_, line) => _lines.Enqueue(line));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _log.DisposeAsync();
        _folder.Dispose();
        _changed.Dispose();
    }

    [Fact]
    public async Task Start_ProgramThatAlwaysDies_IsGivenUpAtItsLimitAndSaysWhy()
    {
        await using var process = Start(new RestartPolicy { MaxRestarts = 2, FirstDelay = TimeSpan.FromMilliseconds(1) }, "exit", "3");

        await UntilAsync(() => process.GaveUp is not null);

        Assert.Equal(2, process.Restarts);
        Assert.Null(process.ProcessId);
        Assert.StartsWith("ended with exit code 3, 3 times in a row within 10 s of its start.", process.GaveUp, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ProgramThatEndsWell_IsLeftAloneOnFailureOnly()
    {
        await using var process = Start(new RestartPolicy { When = RestartWhen.OnFailure }, "exit", "0");

        await UntilAsync(() => process.GaveUp is not null);

        Assert.Equal((0, "ended with exit code 0; its restart policy is 'OnFailure'"), (process.Restarts, process.GaveUp));
    }

    [Fact]
    public async Task Start_ProgramThatIsNeverHealthy_IsStartedAgainWhenItsTimeIsUp()
    {
        var isHealthy = false;
        await using var process = Start(new RestartPolicy { StartPatience = TimeSpan.FromMilliseconds(1), FirstDelay = TimeSpan.FromMilliseconds(1) }, () => Volatile.Read(ref isHealthy), "serve");
        var first = process.ProcessId;

        await UntilAsync(() => process.Restarts > 0);
        Volatile.Write(ref isHealthy, true);

        Assert.NotEqual(first, process.ProcessId);
        await UntilAsync(() => _lines.Contains("(app was not healthy within 0 s of its start; starting it again)"));
    }

    [Fact]
    public async Task EndUnhealthy_LivingProgram_IsReplaced()
    {
        await using var process = Start(new RestartPolicy { FirstDelay = TimeSpan.FromMilliseconds(1) }, "serve");
        var first = process.ProcessId;

        process.EndUnhealthy("feels bad");
        await UntilAsync(() => process.Restarts == 1);

        Assert.NotNull(first);
        Assert.NotEqual(first, process.ProcessId);
        await UntilAsync(() => _lines.Contains("(app feels bad; starting it again)"));
    }

    private AppProcess Start(RestartPolicy policy, params string[] arguments) => Start(policy, null, arguments);

    private AppProcess Start(RestartPolicy policy, Func<bool>? isHealthy, params string[] arguments) => AppProcess.Start(
        new AppTemplate
        {
            AppId = "app",
            Folder = _folder.Path,
            Command = ["dotnet", typeof(SupervisedApp).Assembly.Location, .. arguments],
            Environment = new Dictionary<string, string>(),
            Restart = policy,
            Sidecar = new SidecarOptions { AppId = "app" },
        },
        new Dictionary<string, string> { ["PLATFORM_TEST_CHILD"] = SupervisedApp.Child, ["APP_PORT"] = "0" },
        _log,
        isHealthy,
        () => _changed.Release(),
        TimeProvider.System);

    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(5, Token);
        }
    }
}
