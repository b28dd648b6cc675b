using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;
using Platform.Jobs;
using Platform.Worker.Models;

namespace Platform.UnitTests.Worker;

/// <summary>Loads a <see cref="FakeEngine"/>, taking 100 ms for the bytes and 10 ms for the rest, when the test says so.</summary>
internal sealed class FakeLoader(FakeTimeProvider time) : IModelLoader
{
    private readonly Lock _lock = new();

    public List<(string Model, FakeEngine Engine)> Loads { get; } = [];

    public DeviceArena Arena { get; } = new(new HostAccelerator(new HostAcceleratorOptions { CapacityBytes = 1000 }));

    /// <summary>Models that the test wants asleep.</summary>
    public List<string> Images { get; } = [];

    public IReadOnlyList<string> Asleep => Images;

    public List<string> Forgotten { get; } = [];

    /// <summary>A load waits for it.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    /// <summary>What it predicts of any load.</summary>
    public TimeSpan? Expected { get; set; }

    public TimeSpan? Predict(ModelManifest manifest) => Expected;

    public Action<FakeEngine> Configure { get; set; } = _ => { };

    public async Task<LoadedModel> LoadAsync(ModelManifest manifest, DeviceRoom room, CancellationToken cancellationToken)
    {
        var engine = new FakeEngine();
        Configure(engine);
        lock (_lock)
        {
            Loads.Add((manifest.Name, engine));
        }

        await room.Granted.WaitAsync(cancellationToken);
        await Gate.WaitAsync(cancellationToken);
        var now = time.GetTimestamp();
        return new LoadedModel(engine, new LoadReport(manifest.LengthBytes, 7, now, now + TimeSpan.FromMilliseconds(100).Ticks, now + TimeSpan.FromMilliseconds(110).Ticks));
    }

    public void DropImage(string model) => Images.Remove(model);

    public Task ForgetAsync(string model, CancellationToken cancellationToken)
    {
        Forgotten.Add(model);
        return Task.CompletedTask;
    }
}
