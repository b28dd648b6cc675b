using Platform.DataPlane.Nvme;
using Platform.DataPlane.Weights;

namespace Platform.UnitTests.Staging;

/// <summary>Brings a model's files wholly onto the tier's device.</summary>
internal static class SealedModel
{
    /// <summary>Waits until every chunk is on the device: until then its readers have it from memory.</summary>
    public static async Task SealAsync(this NvmeTier tier, ModelFiles model, CancellationToken cancellationToken)
    {
        foreach (var file in model.Files)
        {
            await using var lease = tier.TryOpen(file.ObjectKey)!;
            await lease.FillAsync(cancellationToken: cancellationToken);
        }
    }
}
