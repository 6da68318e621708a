// What tests/e2e/test_languages.py asks of a module, in C++ with libc++: containers, templates,
// virtual calls, and an object that is made before any function runs. No exceptions.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#define EXPORT(name) extern "C" __attribute__((export_name(name)))

namespace
{

class Generator
{
  public:
    explicit Generator(uint32_t seed) : state(seed)
    {
    }

    uint32_t next()
    {
        state = state * 1664525 + 1013904223;
        return state >> 16;
    }

    std::string word()
    {
        std::string made;
        for (uint32_t left = 1 + next() % 7; left != 0; left--)
            made += static_cast<char>('a' + next() % 4);
        return made;
    }

  private:
    uint32_t state;
};

template <typename Sequence> uint64_t fnv1a(const Sequence &words)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (const auto &word : words) {
        for (char c : word + " ")
            hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    }
    return hash;
}

template <typename T> T times(T a, T b, T modulus)
{
    T sum = 0;
    for (; b != 0; b >>= 1) {
        if (b & 1)
            sum = (sum + a) % modulus;
        a = a * 2 % modulus;
    }
    return sum;
}

class Shape
{
  public:
    virtual ~Shape() = default;
    virtual double area() const = 0;
};

class Circle : public Shape
{
  public:
    explicit Circle(double a) : radius(a)
    {
    }
    double area() const override
    {
        return 3.25 * radius * radius;
    }

  private:
    double radius;
};

class Rectangle : public Shape
{
  public:
    Rectangle(double a, double b) : a(a), b(b)
    {
    }
    double area() const override
    {
        return a * b;
    }

  protected:
    double a, b;
};

class Triangle : public Rectangle
{
  public:
    Triangle(double a, double b, double c) : Rectangle(a, b), c(c)
    {
    }

    double area() const override
    {
        double half = (a + b + c) / 2;
        return std::sqrt(half * (half - a) * (half - b) * (half - c));
    }

  private:
    double c;
};

// Filled by its constructor, which must have run before square_of does.
struct Squares {
    Squares()
    {
        for (int32_t i = 0; i < 10; i++)
            of.push_back(i * i);
    }
    std::vector<int32_t> of;
} squares;

} // namespace

// The linker runs constructors before an export and destructors after it, as around main. At last
// the C library closes its streams, which would import WASI's calls: --wrap puts this in the place
// of that.
extern "C" void __wrap___stdio_exit()
{
}

EXPORT("mix") double mix(int32_t a, int64_t b, float c, double d)
{
    return a + static_cast<double>(b) * 2 + static_cast<double>(c) * 3 + d * 4;
}

EXPORT("ackermann") int32_t ackermann(int32_t m, int32_t n)
{
    if (m == 0)
        return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

EXPORT("power") uint64_t power(uint64_t base, uint64_t exponent, uint64_t modulus)
{
    uint64_t result = 1;
    for (base %= modulus; exponent != 0; exponent >>= 1) {
        if (exponent & 1)
            result = times(result, base, modulus);
        base = times(base, base, modulus);
    }
    return result;
}

EXPORT("divide") int64_t divide(int64_t a, int64_t b)
{
    return a / b * 1000 + a % b;
}

EXPORT("sort_words") uint64_t sort_words(uint32_t seed, uint32_t count)
{
    Generator generator(seed);
    std::vector<std::string> words;
    for (uint32_t i = 0; i < count; i++)
        words.push_back(generator.word());
    std::sort(words.begin(), words.end());
    return fnv1a(words);
}

EXPORT("count_words") int32_t count_words(uint32_t seed, uint32_t count)
{
    Generator generator(seed);
    std::map<std::string, int32_t> counts;
    for (uint32_t i = 0; i < count; i++)
        counts[generator.word()]++;
    int32_t sum = 0;
    for (const auto &[word, times] : counts)
        sum += times * times;
    return sum;
}

EXPORT("areas") double areas(int32_t count)
{
    std::vector<std::unique_ptr<Shape>> shapes;
    for (int32_t i = 0; i < count; i++) {
        switch (i % 3) {
        case 0:
            shapes.push_back(std::make_unique<Circle>(i + 1));
            break;
        case 1:
            shapes.push_back(std::make_unique<Rectangle>(i + 1, i + 1.5));
            break;
        default:
            shapes.push_back(std::make_unique<Triangle>(i + 1, i + 1.5, i + 1.75));
            break;
        }
    }
    double sum = 0;
    for (const auto &shape : shapes)
        sum += shape->area();
    return sum;
}

EXPORT("smooth") float smooth(uint32_t seed, int32_t count)
{
    Generator generator(seed);
    float y = 0;
    for (int32_t i = 0; i < count; i++)
        y = y * 0.7f + static_cast<float>(generator.next()) / 3.0f;
    return y;
}

EXPORT("square_of") int32_t square_of(int32_t index)
{
    return squares.of.at(static_cast<size_t>(index));
}
