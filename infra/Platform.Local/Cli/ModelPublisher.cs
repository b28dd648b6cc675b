using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary>Copies a checked model folder into object storage, then publishes its manifest: a model that is listed is whole.</summary>
internal static class ModelPublisher
{
    /// <summary>Copies and publishes, behind a progress bar of bytes.</summary>
    public static async Task<ModelManifest> PublishAsync(ModelFolder folder, HomeFolder home, PlatformClient client, IAnsiConsole console, CancellationToken cancellationToken)
    {
        var storage = ObjectStorageLocation.Open(ObjectStorageLocation.Resolve(home.Objects));
        var files = new List<ModelFile>();
        await console.Progress().Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn()).StartAsync(async progress =>
        {
            var bar = progress.AddTask($"publishing {folder.Name}", maxValue: Math.Max(1, folder.Files.Sum(file => file.Length)));
            foreach (var file in folder.Files)
            {
                await using var source = new ProgressStream(file.OpenRead(), bytes => bar.Increment(bytes));
                var etag = await storage.PutAsync(ObjectKeys.ModelFile(folder.Name, file.Name), source, cancellationToken: cancellationToken);
                files.Add(new ModelFile(file.Name, file.Length, etag));
            }
        });
        var manifest = new ModelManifest { Name = folder.Name, Files = files, PublishedAt = TimeProvider.System.GetUtcNow() };
        await client.PublishModelAsync(manifest, cancellationToken);
        return manifest;
    }

    /// <summary>Deletes a model's objects; what is absent is no error.</summary>
    public static async Task RemoveObjectsAsync(string model, HomeFolder home, CancellationToken cancellationToken)
    {
        var storage = ObjectStorageLocation.Open(ObjectStorageLocation.Resolve(home.Objects));
        await foreach (var found in storage.ListAsync(ObjectKeys.ModelFolder(model), cancellationToken))
        {
            await storage.DeleteAsync(found.Key, cancellationToken: cancellationToken);
        }
    }
}
