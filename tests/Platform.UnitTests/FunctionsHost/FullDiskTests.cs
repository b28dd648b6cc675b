using System.Diagnostics;
using Platform.DataPlane;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>A disk that is full under the queue: a process whose files may not grow beyond a limit, which the kernel answers as it does a full disk.</summary>
public sealed class FullDiskTests : IDisposable
{
    private const int LimitKiB = 384;
    private const long StoreLimit = 64 * 1024 * 1024;
    private readonly string _folder = Directory.CreateTempSubdirectory("full-disk-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Send_ToAFullDisk_IsRefusedAndLosesNothingThatWasAcknowledged()
    {
        Assert.SkipUnless(File.Exists("/bin/bash") && OperatingSystem.IsLinux(), "needs bash and the limits of a Linux kernel");
        using var child = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", $"trap '' XFSZ; ulimit -f {LimitKiB}; exec dotnet '{typeof(FullDiskTests).Assembly.Location}' '{_folder}'"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment = { ["PLATFORM_TEST_CHILD"] = typeof(FullDiskTests).FullName, ["DOTNET_EnableWriteXorExecute"] = "0" },
        })!;
        var lines = (await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.StartsWith("refused: ", lines[^1], StringComparison.Ordinal);
        var acknowledged = lines[..^1];
        Assert.NotEmpty(acknowledged);
        await using var store = await EmbeddedQueueStore.OpenAsync(_folder, StoreLimit, TimeProvider.System, TestContext.Current.CancellationToken);
        var queue = store.Open("work");
        Assert.Empty(acknowledged.Except(queue.Peek(int.MaxValue).Select(message => message.Text[..8])));
        await queue.SendAsync("there is room again", TestContext.Current.CancellationToken);
    }

    /// <summary>Sends until it is refused; prints each message that was acknowledged.</summary>
    internal static async Task ChildMain(string[] args)
    {
        var store = await EmbeddedQueueStore.OpenAsync(args[0], StoreLimit, TimeProvider.System, CancellationToken.None);
        var queue = store.Open("work");
        for (var i = 0; i < 10_000; i++)
        {
            try
            {
                await queue.SendAsync($"{i:D8} {new string('x', 2000)}", CancellationToken.None);
                Console.WriteLine($"{i:D8}");
            }
            catch (StorageException exception)
            {
                Console.WriteLine($"refused: {exception.Error} {exception.Message}");
                return;
            }
        }
    }
}
