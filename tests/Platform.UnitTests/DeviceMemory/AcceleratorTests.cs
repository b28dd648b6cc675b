using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Cuda;
using Platform.DataPlane.DeviceMemory.Host;

namespace Platform.UnitTests.DeviceMemory;

public sealed class HostAcceleratorTests : AcceleratorConformance
{
    [Fact]
    public void TryAllocate_UpToTheCapacity_AndNotAByteMore()
    {
        using var accelerator = new HostAccelerator(new HostAcceleratorOptions { CapacityBytes = 10_000 });
        using var most = accelerator.TryAllocate(9_999);

        Assert.Null(accelerator.TryAllocate(2));
        Assert.NotNull(accelerator.TryAllocate(1));
        Assert.Equal(0, accelerator.ReadHealth().FreeBytes);
    }

    [Fact]
    public void Dispose_Buffer_ItsMemoryIsKeptForTheNextOne_WithinTheCapacity()
    {
        using var accelerator = new HostAccelerator(new HostAcceleratorOptions { CapacityBytes = 40_960, KeptBytes = 40_960 });
        var first = accelerator.TryAllocate(20_000)!;
        var start = first.HostView!.Start;
        first.Dispose();

        using var second = accelerator.TryAllocate(19_000)!;
        Assert.Equal((start, 19_000L), (second.HostView!.Start, second.LengthBytes));
        Assert.Equal(19_000, accelerator.AllocatedBytes);
    }

    [Fact]
    public async Task Copies_AreCounted()
    {
        using var accelerator = new HostAccelerator();
        using var stream = accelerator.OpenStream();
        using var buffer = accelerator.TryAllocate(1000)!;

        await stream.CopyToDeviceAsync(new byte[1000], buffer, 0);
        await stream.CopyToHostAsync(buffer, 1, new byte[10]);

        Assert.Equal((2, 1010), (accelerator.Copies, accelerator.CopiedBytes));
        Assert.NotNull(buffer.HostView);
    }

    [Fact]
    public async Task CopyRate_HoldsTheStreamBack()
    {
        var time = new FakeTimeProvider();
        using var accelerator = new HostAccelerator(new HostAcceleratorOptions { CopyBytesPerSecond = 1000, Time = time });
        using var buffer = accelerator.TryAllocate(4000)!;
        var stream = accelerator.OpenStream();
        var started = time.GetTimestamp();

        var copy = stream.CopyToDeviceAsync(new byte[2000], buffer, 0);
        while (!copy.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        Assert.True(time.GetElapsedTime(started) >= TimeSpan.FromSeconds(2));
        stream.Dispose();
    }

    internal override IAccelerator Open() => new HostAccelerator(new HostAcceleratorOptions { CapacityBytes = 64 << 20 });
}

[Collection(DeviceCollection.Name)]
public sealed class OpenClAcceleratorTests : AcceleratorConformance
{
    internal override IAccelerator Open()
    {
        var accelerator = Accelerators.TryOpenCl(withProcessors: true, out var reason);
        Assert.SkipWhen(accelerator is null, $"No OpenCL device: {reason}.");
        return accelerator!;
    }
}

[Collection(DeviceCollection.Name)]
[Trait("Needs", "GPU")]
public sealed class CudaAcceleratorTests : AcceleratorConformance
{
    [Fact]
    public void TryAllocate_AfterAnotherOfItsLengthWasFreed_CostsTheDeviceNothing_AndWhatIsKeptCountsAsFree()
    {
        const int Length = 64 << 20;
        using var plain = Open();
        var free = plain.ReadHealth().FreeBytes!.Value;
        using var accelerator = Accelerators.TryCuda(out _, new CudaAcceleratorOptions { KeptBytes = Length })!;
        accelerator.TryAllocate(Length)!.Dispose();

        Assert.Equal(free, accelerator.ReadHealth().FreeBytes);
        Assert.Equal(free - Length, plain.ReadHealth().FreeBytes);
        using var again = accelerator.TryAllocate(Length);
        Assert.Equal(free - Length, plain.ReadHealth().FreeBytes);
        Assert.Equal((Length, free - Length), (accelerator.AllocatedBytes, accelerator.ReadHealth().FreeBytes));
    }

    [Fact]
    public void TryAllocate_KeptMemoryInTheWay_LeavesForIt()
    {
        using var plain = Open();
        var most = plain.ReadHealth().FreeBytes!.Value - (1L << 30);
        using var accelerator = Accelerators.TryCuda(out _, new CudaAcceleratorOptions { KeptBytes = long.MaxValue })!;
        accelerator.TryAllocate(most)!.Dispose();

        using var other = accelerator.TryAllocate(most - 4096);
        Assert.NotNull(other);
    }

    internal override IAccelerator Open()
    {
        var accelerator = Accelerators.TryCuda(out var reason);
        Assert.SkipWhen(accelerator is null, $"No CUDA device: {reason}.");
        return accelerator!;
    }
}

/// <summary>Tests that take memory of a real device, one at a time: some look at how much of it is free.</summary>
[CollectionDefinition(Name)]
public sealed class DeviceCollection
{
    public const string Name = "Device memory";
}

public sealed class AcceleratorsTests
{
    [Fact]
    public void Open_Auto_NeverTakesTheProcessorForADevice()
    {
        using var accelerator = Accelerators.Open();

        Assert.True(accelerator.Info.Kind == AcceleratorKind.Host || !accelerator.Info.IsProcessor, accelerator.Info.ToString());
    }

    [Fact]
    public void Open_UnknownName_NamesTheKnownOnes()
    {
        var fault = Assert.Throws<AcceleratorException>(() => Accelerators.Open("tpu"));

        Assert.Contains("'tpu'", fault.Message, StringComparison.Ordinal);
        Assert.Contains("auto, cuda, opencl, host", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_CudaWithoutADriver_SaysWhy()
    {
        var cuda = Accelerators.TryCuda(out var reason);
        Assert.SkipUnless(cuda is null, "There is a CUDA device.");

        Assert.Contains(reason, Assert.Throws<AcceleratorException>(() => Accelerators.Open("cuda")).Message, StringComparison.Ordinal);
        Assert.NotEmpty(reason);
    }
}
