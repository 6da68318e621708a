// Streams, containers and strings of C++, in a program with a start: counts the words of standard input,
// and keeps a small store of numbers by commands. No exceptions.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{

struct Announcer {
    ~Announcer()
    {
        std::cout << "destroyed" << std::endl; // of a static object: after main
    }
};
Announcer announcer;

int words()
{
    std::unordered_map<std::string, int> counts;
    std::string word;

    while (std::cin >> word) {
        std::transform(word.begin(), word.end(), word.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        counts[word]++;
    }
    std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
    std::sort(sorted.begin(), sorted.end(), [](const auto &a, const auto &b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    for (const auto &[name, count] : sorted)
        std::cout << std::left << std::setw(12) << name << std::right << std::setw(5) << count << '\n';
    return 0;
}

// push NUMBER…, sum, mean, list, nothing else
int store()
{
    std::map<std::string, std::function<void(std::istream &)>> commands;
    std::vector<double> numbers;
    std::string line;

    commands["push"] = [&](std::istream &rest) {
        for (double x; rest >> x;)
            numbers.push_back(x);
    };
    commands["sum"] = [&](std::istream &) {
        std::cout << std::accumulate(numbers.begin(), numbers.end(), 0.0) << '\n';
    };
    commands["mean"] = [&](std::istream &) {
        std::cout << std::fixed << std::setprecision(3)
                  << std::accumulate(numbers.begin(), numbers.end(), 0.0) / double(numbers.size())
                  << std::defaultfloat << std::setprecision(6) << '\n';
    };
    commands["list"] = [&](std::istream &) {
        for (double x : numbers)
            std::cout << x << ' ';
        std::cout << '\n';
    };
    while (std::getline(std::cin, line)) {
        std::istringstream rest(line);
        std::string name;
        rest >> name;
        auto found = commands.find(name);
        if (found == commands.end()) {
            std::cerr << "no such command: " << name << std::endl;
            return 1;
        }
        found->second(rest);
    }
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    std::unique_ptr<std::string> command(new std::string(argc > 1 ? argv[1] : ""));

    if (*command == "words")
        return words();
    if (*command == "store")
        return store();
    std::cerr << "words or store" << std::endl;
    std::exit(2);
}
