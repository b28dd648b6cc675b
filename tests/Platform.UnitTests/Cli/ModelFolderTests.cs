using Platform.DataPlane.Weights;
using Platform.Local;
using Platform.Local.Cli;

namespace Platform.UnitTests.Cli;

public sealed class ModelFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("model-folder-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Open_WholeFolder_ListsItsFiles()
    {
        await WriteWholeAsync();

        var folder = ModelFolder.Open(_folder, "tiny");

        Assert.Equal(["config.json", "tokenizer.json", "model.safetensors"], folder.Files.Select(file => file.Name));
    }

    [Fact]
    public async Task Open_SeveralFaults_NamesEachOfThem()
    {
        await WriteWholeAsync();
        File.Delete(Path.Combine(_folder, "tokenizer.json"));
        File.WriteAllText(Path.Combine(_folder, "config.json"), "{");
        using (var weights = File.OpenWrite(Path.Combine(_folder, "model.safetensors")))
        {
            weights.SetLength(weights.Length - 1);
        }

        var error = Assert.Throws<PlatformException>(() => ModelFolder.Open(_folder, "Not A Name"));

        Assert.Contains("'Not A Name' is not a model name", error.Message, StringComparison.Ordinal);
        Assert.Contains("'tokenizer.json' is missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("'config.json' is not JSON", error.Message, StringComparison.Ordinal);
        Assert.Contains("model.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_EmptyWeightsFile_IsAFaultNotACrash()
    {
        File.WriteAllText(Path.Combine(_folder, "model.safetensors"), "");

        var error = Assert.Throws<PlatformException>(() => ModelFolder.Open(_folder, "tiny"));

        Assert.Contains("model.safetensors", error.Message, StringComparison.Ordinal);
    }

    private async Task WriteWholeAsync()
    {
        File.WriteAllText(Path.Combine(_folder, "config.json"), "{}");
        File.WriteAllText(Path.Combine(_folder, "tokenizer.json"), "{}");
        await using var weights = File.Create(Path.Combine(_folder, "model.safetensors"));
        await SafetensorsWriter.WriteAsync(weights, [new TensorBytes("w", TensorType.F32, [1], new byte[4])], cancellationToken: TestContext.Current.CancellationToken);
    }
}
