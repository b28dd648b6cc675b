using System.Xml.Linq;

namespace Platform.UnitTests.Architecture;

/// <summary>The arrows of the design: which project may refer to which, and in which folder a dependency may appear.</summary>
public sealed class ArchitectureTests
{
    private static readonly Dictionary<string, string[]> AllowedReferences = new()
    {
        ["functions/Platform.Jobs"] = [],
        ["components/Platform.Dapr"] = [],
        ["dataplane/Platform.DataPlane"] = [],
        ["functions/Platform.Functions"] = ["Platform.Jobs", "Platform.Dapr"],
        ["functions/Platform.Control"] = ["Platform.Jobs", "Platform.Dapr"],
        ["dataplane/Platform.Worker"] = ["Platform.Jobs", "Platform.Dapr", "Platform.DataPlane"],
        ["infra/Platform.Local"] = ["Platform.Jobs", "Platform.Dapr", "Platform.DataPlane"],
    };

    public static TheoryData<string> Projects => [.. AllowedReferences.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_RefersOnlyDownwards(string project)
    {
        var file = XDocument.Load(Path.Combine(Repository.Root, project, Path.GetFileName(project) + ".csproj"));

        // A reference without the output assembly only orders the build: Platform.Local starts those programs.
        var references = file.Descendants("ProjectReference")
            .Where(reference => (string?)reference.Attribute("ReferenceOutputAssembly") != "false")
            .Select(reference => Path.GetFileNameWithoutExtension(((string)reference.Attribute("Include")!).Replace('\\', '/')));

        Assert.Empty(references.Except(AllowedReferences[project]));
    }

    [Theory]
    [InlineData("using FASTER", "dataplane/Platform.DataPlane/Nvme/")]
    [InlineData("using Amazon", "dataplane/Platform.DataPlane/ObjectStorage/")]
    [InlineData("libcuda", "dataplane/Platform.DataPlane/DeviceMemory/")]
    [InlineData("libOpenCL", "dataplane/Platform.DataPlane/DeviceMemory/")]
    [InlineData("using Azure", "infra/Platform.Local/FunctionsHost/")]
    public void Dependency_AppearsOnlyInItsFolder(string text, string folder)
    {
        var elsewhere = Sources()
            .Where(file => !file.StartsWith(folder, StringComparison.Ordinal))
            .Where(file => File.ReadLines(Path.Combine(Repository.Root, file)).Any(line => line.Contains(text, StringComparison.Ordinal)));

        Assert.Empty(elsewhere);
    }

    [Fact]
    public void TopLevel_IsTheOneThatTheDesignNames()
    {
        var folders = Directory.GetDirectories(Repository.Root).Select(Path.GetFileName).Where(name => !name!.StartsWith('.') && name is not ("artifacts" or "TestResults"));

        Assert.Equal(["components", "dataplane", "functions", "infra", "tests"], folders.Order(StringComparer.Ordinal));
    }

    private static IEnumerable<string> Sources() =>
        new[] { "functions", "components", "dataplane", "infra" }
            .SelectMany(top => Directory.EnumerateFiles(Path.Combine(Repository.Root, top), "*.cs", SearchOption.AllDirectories))
            .Select(file => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'))
            .Where(file => !file.Contains("/bin/", StringComparison.Ordinal) && !file.Contains("/obj/", StringComparison.Ordinal));
}
