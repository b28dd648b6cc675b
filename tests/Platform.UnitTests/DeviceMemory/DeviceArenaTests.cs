using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;

namespace Platform.UnitTests.DeviceMemory;

public sealed class DeviceArenaTests : IDisposable
{
    private readonly HostAccelerator _accelerator = new(new HostAcceleratorOptions { CapacityBytes = 2000 });
    private readonly DeviceArena _arena;
    private readonly List<string> _evicted = [];

    public DeviceArenaTests() => _arena = new DeviceArena(_accelerator, 1000);

    public void Dispose() => _accelerator.Dispose();

    [Fact]
    public void Reserve_LargerThanTheDevice_IsRefusedWithTheFigures()
    {
        var fault = Assert.Throws<DeviceMemoryException>(() => Reserve("big", 1001));

        Assert.True(fault.IsFinal);
        Assert.Contains("'big' needs 1001 bytes", fault.Message, StringComparison.Ordinal);
        Assert.Contains("1000 bytes for models", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reserve_BesideThoseInUse_IsRefusedWithTheFigures_AndNobodyLeaves()
    {
        Reserve("idle", 300).Release();
        Reserve("busy", 500);

        var fault = Assert.Throws<DeviceMemoryException>(() => Reserve("late", 600));

        Assert.False(fault.IsFinal);
        Assert.Contains("of its 1000 bytes 500 are free or idle", fault.Message, StringComparison.Ordinal);
        Assert.Contains("'busy' 500", fault.Message, StringComparison.Ordinal);
        Assert.Empty(_evicted);
    }

    [Fact]
    public void Reserve_NoRoom_TheIdleOneUsedLongestAgoLeaves_AndTheNewOneWaitsUntilItHas()
    {
        var a = Reserve("a", 400);
        var b = Reserve("b", 400);
        a.Release();
        b.Release();
        Assert.True(a.TryHold());
        a.Release();

        var c = Reserve("c", 400);

        Assert.Equal(["b for c"], _evicted);
        Assert.False(c.Granted.IsCompleted);
        Assert.False(b.TryHold());
        b.Dispose();
        Assert.True(c.Granted.IsCompletedSuccessfully);
        Assert.Equal(200, _arena.FreeBytes);
    }

    [Fact]
    public void Granted_InTheOrderOfAsking()
    {
        var a = Reserve("a", 1000);
        a.Leave();
        var b = Reserve("b", 700);
        var c = Reserve("c", 300);
        Assert.False(b.Granted.IsCompleted || c.Granted.IsCompleted);

        a.Dispose();

        Assert.True(b.Granted.IsCompletedSuccessfully && c.Granted.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Dispose_BeforeItWasGranted_LetsTheNextOneIn()
    {
        var a = Reserve("a", 1000);
        a.Leave();
        var b = Reserve("b", 1000);
        b.Leave();
        var c = Reserve("c", 1000);

        b.Dispose();
        a.Dispose();

        await c.Granted;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => b.Granted);
    }

    [Fact]
    public void Allocate_WithinTheRoom_FreedWithIt()
    {
        var room = Reserve("a", 600);
        Assert.Equal(500, room.Allocate(500).LengthBytes);

        var fault = Assert.Throws<DeviceMemoryException>(() => room.Allocate(101));
        Assert.Contains("600 bytes", fault.Message, StringComparison.Ordinal);
        Assert.Equal(500, _accelerator.AllocatedBytes);
        room.Dispose();
        Assert.Equal((0, 1000), (_accelerator.AllocatedBytes, _arena.FreeBytes));
    }

    [Fact]
    public void Allocate_AnotherProgramHasTheMemory_SaysSo()
    {
        using var other = _accelerator.TryAllocate(1500);
        var room = Reserve("a", 600);

        var fault = Assert.Throws<DeviceMemoryException>(() => room.Allocate(600));

        Assert.False(fault.IsFinal);
        Assert.Contains("another program", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Arena_UnderManyAskers_NeverPromisesMoreThanItHas()
    {
        var most = 0L;
        var held = 0L;
        var refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(seed => Task.Run(
            async () =>
            {
                var random = new Random(seed);
                for (var i = 0; i < 200; i++)
                {
                    try
                    {
                        DeviceRoom? room = null;
                        var ended = new TaskCompletionSource();
                        var bytes = random.Next(1, 500);
                        room = _arena.Reserve($"{seed}-{i}", bytes, _ => ended.TrySetResult());
                        await room.Granted;
                        var now = Interlocked.Add(ref held, bytes);
                        InterlockedMax(ref most, now);
                        Interlocked.Add(ref held, -bytes);
                        room.Dispose();
                    }
                    catch (DeviceMemoryException)
                    {
                        Interlocked.Increment(ref refused);
                    }
                }
            },
            TestContext.Current.CancellationToken)));

        Assert.InRange(most, 1, 1000);
        Assert.Equal(1000, _arena.FreeBytes);
    }

    private static void InterlockedMax(ref long target, long value)
    {
        for (var seen = Interlocked.Read(ref target); seen < value;)
        {
            seen = Interlocked.CompareExchange(ref target, value, seen) is var was && was == seen ? value : was;
        }
    }

    private DeviceRoom Reserve(string name, long bytes) => _arena.Reserve(name, bytes, newcomer => _evicted.Add($"{name} for {newcomer}"));
}
