using System.Diagnostics;
using Platform.DataPlane;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>A disk that is full under the queue: a small file system that is filled, and a process whose files may not grow beyond a limit.</summary>
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

    [Fact]
    public async Task Send_ToADiskThatIsFullForAWhile_IsRefusedWhileItIsAndTakenAfter()
    {
        using var disk = SmallDisk.MountOrSkip(48);
        var cancel = TestContext.Current.CancellationToken;
        var store = await EmbeddedQueueStore.OpenAsync(disk["queues"], StoreLimit, TimeProvider.System, cancel);
        var acknowledged = new List<string>();
        var queue = store.Open("work");
        await SendAsync("before");
        var taken = Assert.Single(await queue.ReceiveAsync(1, TimeSpan.FromMinutes(10), cancel));

        var ballast = disk.Fill();
        var refusal = await Assert.ThrowsAsync<StorageException>(async () =>
        {
            // The log has room in the blocks that it holds already.
            for (var i = 0; i < 10_000; i++)
            {
                await SendAsync($"{i:D8} {new string('x', 8000)}");
            }
        });
        File.Delete(ballast);
        await SendAsync("after");
        await queue.DeleteAsync(taken.Id, taken.PopReceipt, cancel);
        await store.DisposeAsync();
        store = await EmbeddedQueueStore.OpenAsync(disk["queues"], StoreLimit, TimeProvider.System, cancel);

        Assert.Equal(StorageError.Full, refusal.Error);
        Assert.Contains(disk.Path, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(acknowledged.Skip(1), store.Open("work").Peek(int.MaxValue).Select(message => message.Text));
        await store.DisposeAsync();

        async Task SendAsync(string text)
        {
            await queue.SendAsync(text, cancel);
            acknowledged.Add(text);
        }
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
