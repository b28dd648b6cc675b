using Platform.Local.Supervisor;

namespace Platform.UnitTests.Supervisor;

public sealed class RunTemplateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("run-template-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Load_RepositorysOwn_HasTheFourApps()
    {
        var template = RunTemplate.Load(Repository.Root);

        Assert.Equal(["control", "worker-0", "worker-1", "functions"], template.Apps.Select(app => app.AppId));
        Assert.Equal(7071, Assert.Single(template.Apps, app => app.IsFunctionApp).FunctionsPort);
        Assert.All(template.Apps, app => Assert.Equal([Path.Combine(Repository.Root, "components", "local")], app.ResourcesPaths));
    }

    [Fact]
    public void Load_CommonAndAppValues_AppWinsAndPathsStartWhereTheCliSays()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "app", "own"));
        Directory.CreateDirectory(Path.Combine(_folder, "shared"));
        var template = Load("""
            version: 1
            common:
              resourcesPaths: [./shared]
              logLevel: debug
              env: { A: common, B: common }
            apps:
              - appDirPath: ./app
                appPort: 5000
                env: { B: app }
                unknownKey: ignored
              - appID: second
                appDirPath: ./app
                resourcesPaths: [./own]
                command: ["func", "start", "-p", "7099"]
            """);

        Assert.Equal("app", template.Apps[0].AppId);
        Assert.Equal(5000, template.Apps[0].AppPort);
        Assert.Equal("debug", template.Apps[0].LogLevel);
        Assert.Equal([Path.Combine(_folder, "shared")], template.Apps[0].ResourcesPaths);
        Assert.Equal(new Dictionary<string, string> { ["A"] = "common", ["B"] = "app" }, template.Apps[0].Environment);
        Assert.Equal([Path.Combine(_folder, "app", "own")], template.Apps[1].ResourcesPaths);
        Assert.Equal(7099, template.Apps[1].FunctionsPort);
    }

    [Theory]
    [InlineData("apps: []", "dapr.yaml(1): expected 'version: 1', found 'none'")]
    [InlineData("version: 1\napps: []", "expected at least one entry under 'apps'")]
    [InlineData("version: 1\napps:\n  - appID: x", "dapr.yaml(3): an app needs 'appDirPath'")]
    [InlineData("version: 1\napps:\n  - appDirPath: ./nowhere", "does not exist")]
    [InlineData("version: 1\napps:\n  - appDirPath: .\n    appPort: many", "appPort is 'many'; expected a whole number")]
    [InlineData("version: 1\napps:\n  - appDirPath: .\n    appPort: 70000", "expected 0 to 65535")]
    [InlineData("version: 1\napps:\n  - appID: x\n    appDirPath: .\n  - appID: x\n    appDirPath: .", "two apps have the id 'x'")]
    [InlineData("version: [1", "not YAML")]
    public void Load_Faulty_NamesFileLineAndFault(string yaml, string expected)
    {
        var error = Assert.Throws<RunTemplateException>(() => Load(yaml));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    private RunTemplate Load(string yaml)
    {
        File.WriteAllText(Path.Combine(_folder, "dapr.yaml"), yaml);
        return RunTemplate.Load(_folder);
    }
}
